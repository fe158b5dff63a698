import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Cluster } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { startLocalCluster } from "../../src/local/local-cluster.ts";
import {
  expectNothingLeft,
  expectRefused,
  isRunning,
  openRoom,
  outsideAddress,
  printed,
} from "./commands-under-test.ts";
import { server } from "./nodes-under-test.ts";
import { until } from "./until.ts";

describe("the library's local cluster", () => {
  it("founds, survives the loss of an alpha and its disk, and leaves nothing behind", async () => {
    const cluster = await startLocalCluster({ port: 20_200, nodeTimeoutMs: 2_000 });
    onTestFinished(() => cluster.end());
    await cluster.waitUntilWhole();
    const client = new Cluster([...cluster.seeds]);
    onTestFinished(() => client.disconnect());
    const keys = Array.from({ length: 500 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    await cluster.waitUntilWhole();
    await until("betas without lag", cluster.status, ({ shards }) =>
      shards.every(({ betas }) => betas.every(({ lagBytes }) => lagBytes === 0)),
    );

    const { shards } = await cluster.status();
    const victim = shards[0]?.alpha.name ?? "";
    await cluster.killNode(victim);
    expect((await cluster.status()).state).toBe("down");
    await cluster.startNode(victim, { emptied: true });
    const after = await cluster.waitUntilWhole();
    expect(after.nodes).toBe(6);
    expect(after.shards[0]?.betas.map((beta) => beta.name)).toEqual([victim]);
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);

    const pids = cluster.nodes.flatMap((node) => node.pid ?? []);
    expect(pids).toHaveLength(6);
    client.disconnect();
    await cluster.end();
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it("lets a stopped node return with its data, in its shard", async () => {
    await using cluster = await startLocalCluster({ port: 20_210, nodeTimeoutMs: 2_000 });
    const { shards } = await cluster.waitUntilWhole();
    const beta = shards[1]?.betas[0];
    await cluster.stopNode(beta?.name ?? "");
    expect((await cluster.status()).state).toBe("degraded");
    await cluster.startNode(beta?.name ?? "");
    const after = await cluster.waitUntilWhole();
    expect(after.shards[1]?.betas[0]?.id).toBe(beta?.id);
  });

  it("says at once why a node cannot start, and leaves nothing running", async () => {
    const room = openRoom();
    const config = join(room.state, "redis.conf");
    writeFileSync(config, "replicaof 127.0.0.1 1\n");
    await using cluster = await startLocalCluster({ port: 20_220, config });
    await expect(cluster.waitUntilWhole()).rejects.toThrow(/node-\d ended by itself: .*replicaof/);
  });
});

describe("rekindle up", () => {
  it("leaves a cluster to itself with --detach, and down ends it without a trace", async () => {
    const room = openRoom();
    const up = await room.run("up", "--port=20230", "--detach", "--json");
    expect(up.exitCode).toBe(0);
    const document = JSON.parse(up.stdout);
    expect(document).toMatchObject({ name: "default", state: "whole", natMap: {} });
    expect(document.seeds[0]).toEqual({ host: "127.0.0.1", port: 20_230 });
    const pids = room.nodes();
    expect(pids).toHaveLength(6);

    const second = await room.run("up", "--port=20240");
    expect(second.exitCode).toBe(78);
    expect(second.stderr).toContain("runs already");

    const down = await room.run("down");
    expect(down.stdout).toContain("ended 6 nodes");
    await expectNothingLeft(room, pids);
    const again = await room.run("down");
    expect(again).toMatchObject({ exitCode: 0, stderr: "" });
    expect(again.stdout).toContain("no local cluster");
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "ends everything on %s, and a second one does not cut that short",
    async (signal) => {
      const room = openRoom();
      const up = room.start("up", "--port=20240");
      await printed(up, "all 16,384 slots");
      const pids = room.nodes();
      expect(pids).toHaveLength(6);
      up.process.kill(signal);
      await until(
        "the first end",
        () => pids.filter(isRunning),
        (alive) => alive.length < 6,
      );
      up.process.kill(signal);
      expect((await up.finished).exitCode).toBe(0);
      await expectNothingLeft(room, pids);
    },
  );

  it("ends everything when it is interrupted while it starts", async () => {
    const room = openRoom();
    const up = room.start("up", "--port=20250");
    await until("a first node", room.nodes, (nodes) => nodes.length > 0);
    up.process.kill("SIGINT");
    expect((await up.finished).exitCode).toBe(0);
    await expectNothingLeft(room, room.nodes());
  });

  it("takes over what a killed up has left", async () => {
    const room = openRoom();
    const first = room.start("up", "--port=20260");
    await printed(first, "all 16,384 slots");
    const pids = room.nodes();
    first.process.kill("SIGKILL");
    await first.finished;
    const second = await room.run("up", "--port=20260", "--detach");
    expect(second.exitCode).toBe(0);
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it("ends by itself when down is called", async () => {
    const room = openRoom();
    const up = room.start("up", "--port=20270");
    await printed(up, "all 16,384 slots");
    const pids = room.nodes();
    expect((await room.run("down")).stdout).toContain("ended 6 nodes");
    expect((await up.finished).exitCode).toBe(0);
    await expectNothingLeft(room, pids);
  });

  it("names a port that is taken, before it starts anything", async () => {
    const room = openRoom();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(20_283, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { exitCode, stderr } = await room.run("up", "--port=20280");
    expect(exitCode).toBe(78);
    expect(stderr).toContain("port 20283 is in use");
    expect(room.folders()).toEqual([]);
  });

  it("says that the server is missing, before it starts anything", async () => {
    const room = openRoom();
    const { exitCode, stderr } = await room.run("up", "--port=20280", "--server=/no/such-server");
    expect(exitCode).toBe(127);
    expect(stderr).toContain("/no/such-server was not found");
    expect(room.folders()).toEqual([]);
  });

  it("takes a server that is started by a script", async () => {
    const room = openRoom();
    const script = join(room.state, "my-server");
    writeFileSync(script, `#!/bin/sh\nexec ${server} "$@"\n`, { mode: 0o755 });
    const up = await room.run("up", "--port=20300", "--detach", `--server=${script}`);
    expect(up.exitCode, up.stderr).toBe(0);
  });

  it("says that no Docker engine answers, and what to do", async () => {
    const room = openRoom({ DOCKER_HOST: "tcp://127.0.0.1:1" });
    const { exitCode, stderr } = await room.run("up", "--backend=containers");
    expect(exitCode).toBe(75);
    expect(stderr).toContain("no Docker engine answers");
    expect(stderr).toContain("--backend processes");
    expect(room.folders()).toEqual([]);
  });

  it("serves this machine only: a cluster without a password is nobody else's", async ({
    skip,
  }) => {
    const outside = outsideAddress();
    if (outside === undefined) return skip("the machine has no address but loopback");
    await using cluster = await startLocalCluster({ port: 20_290, nodes: 3, replicas: 0 });
    await cluster.waitUntilWhole();
    for (const { address } of cluster.nodes) await expectRefused({ ...address, ip: outside });
  });

  it("breaks and mends its cluster with --exercise, and loses no key", async () => {
    const room = openRoom();
    const { exitCode, stdout } = await room.run("up", "--port=20240", "--exercise");
    expect(stdout).toContain("all 3000 keys are there");
    expect(exitCode).toBe(0);
    expect(room.folders()).toEqual([]);
  });
});
