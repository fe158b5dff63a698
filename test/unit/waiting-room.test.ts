/** The entrypoint's own answers at its server's port. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect as open } from "../../src/redis/connection.ts";
import { openWaitingRoom } from "../../src/redis/waiting-room.ts";
import { makeCertificates } from "../redis/certificates-under-test.ts";

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("closing it frees the port, also of somebody who is still shaking hands", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-unit-"));
  const port = await findFreePort();
  const room = await openWaitingRoom(
    { ip: "127.0.0.1", port, busPort: 0 },
    {
      credentials: { user: undefined, password: undefined },
      tls: makeCertificates(folder).files,
    },
    {
      tell: () => ({
        hostname: "redis-0",
        disk: { kind: "none", writtenAtMs: 0, wasAlpha: false },
        claims: false,
      }),
    },
  );
  const silent = connect({ host: "127.0.0.1", port });
  try {
    await new Promise((resolve) => silent.once("connect", resolve));
    const ended = new Promise((resolve) => silent.once("close", resolve));
    silent.on("error", () => {});
    await room.close();
    await ended;
    const again = createServer();
    await new Promise<void>((resolve) => again.listen(port, "127.0.0.1", resolve));
    expect(again.listening).toBe(true);
    again.close();
  } finally {
    silent.destroy();
    rmSync(folder, { recursive: true });
  }
}, 10_000);

test("a Sentinel is told of no betas, but that data is read; of an alpha that must not lead it hears that it is down, and of whom", async () => {
  const port = await findFreePort();
  const address = { ip: "127.0.0.1", port, busPort: 0 };
  const credentials = { user: undefined, password: undefined };
  let heirs: { host: string; port: number }[] | undefined;
  const room = await openWaitingRoom(
    address,
    { credentials, tls: undefined },
    { tell: () => ({}), heirs: () => heirs },
  );
  const ask = async () => {
    const connection = await open(address, { credentials, tls: undefined, deadlineMs: 5_000 });
    const replies = await connection.send([["PING"], ["INFO"], ["GET", "key"]]);
    connection.close();
    return replies.map((reply) => (reply instanceof Error ? reply.message : String(reply)));
  };
  try {
    const loading = "LOADING Rekindle decides what this node must be";
    expect(await ask()).toEqual([loading, loading, loading]);
    heirs = [{ host: "10.0.0.2", port: 6379 }];
    const [ping, info, get] = await ask();
    expect([ping, get]).toEqual(["ERR Rekindle waits for another alpha", loading]);
    expect(info?.split("\r\n")).toContain("slave0:ip=10.0.0.2,port=6379,state=online");
  } finally {
    await room.close();
  }
});
