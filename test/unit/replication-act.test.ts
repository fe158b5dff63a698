/** The steps of a set's plan, over connections that break. */
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLog } from "../../src/log.ts";
import { createReplyReader } from "../../src/redis/resp.ts";
import { createActor } from "../../src/replication/act.ts";
import { createObserver } from "../../src/replication/observe.ts";
import type { ServerPeer, Step } from "../../src/replication/types.ts";

/** Answers OK to everything; `told` is what it was asked. */
async function startListener() {
  const told: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const reader = createReplyReader();
    socket.on("data", (bytes) => {
      for (const command of reader.push(bytes as Buffer)) {
        told.push((command as string[]).join(" "));
        socket.write("+OK\r\n");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    told,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("a step whose connection is gone is not told as done, and is sent as soon as there is one again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-unit-"));
  const path = join(folder, "log");
  const log = createLog("info", "text", openSync(path, "a"));
  const listener = await startListener();
  const address = { ip: "127.0.0.1", port: listener.port, busPort: 1 };
  const observer = createObserver(
    { credentials: { user: undefined, password: undefined }, tls: undefined, deadlineMs: 1_000 },
    "mymaster",
  );
  const actor = createActor(observer, "mymaster", log, () => 0);
  const promote: Step = { kind: "promote", at: { name: "redis-1", address } as ServerPeer };
  try {
    await actor.carryOut([promote]);
    expect(readFileSync(path, "utf8")).toContain("become the alpha: not sent: the connection is");
    await observer.look([{ name: "redis-1", address }]);
    await actor.carryOut([promote]);
    expect(readFileSync(path, "utf8")).toMatch(/redis-1: become the alpha$/m);
    await actor.carryOut([promote]);
    expect(listener.told.filter((one) => one === "REPLICAOF NO ONE")).toHaveLength(1);
  } finally {
    observer.close();
    listener.close();
    rmSync(folder, { recursive: true });
  }
});
