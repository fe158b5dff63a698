/** `rekindle up --topology sentinel`, and the library's local set. */
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LocalSet, startLocalSet } from "../../src/local/local-set.ts";
import {
  expectNothingLeft,
  expectRefused,
  isRunning,
  openRoom,
  outsideAddress,
  printed,
} from "./commands-under-test.ts";

function connectTo(set: LocalSet): Redis {
  const client = new Redis({ ...set.clientOptions, maxRetriesPerRequest: null });
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

const upSet = ["up", "--topology=sentinel"];

describe("the library's local set", () => {
  it("has another alpha soon after one was lost, takes it back as a beta, and leaves nothing behind", async () => {
    const set = await startLocalSet({ port: 20_310 });
    onTestFinished(() => set.end());
    const { alpha } = await set.waitUntilWhole();
    const client = connectTo(set);
    const keys = Array.from({ length: 500 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    expect(await client.wait(2, 5_000)).toBe(2);

    await set.killNode(alpha?.name ?? "");
    expect((await set.status()).state).toBe("down");
    await client.set("after", "the loss");
    await set.startNode(alpha?.name ?? "", { emptied: true });
    const after = await set.waitUntilWhole();
    expect(after.nodes).toBe(3);
    expect(after.betas.map(({ name }) => name)).toContain(alpha?.name);
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
    expect(await client.get("after")).toBe("the loss");

    const pids = [...set.nodes, ...set.sentinels].flatMap(({ pid }) => pid ?? []);
    expect(pids).toHaveLength(6);
    client.disconnect();
    await set.end();
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it("has as many nodes and Sentinels as asked for, each killed and started by its name", async () => {
    await using set = await startLocalSet({ port: 20_320, nodes: 2, sentinels: 5 });
    const { betas, sentinels } = await set.waitUntilWhole();
    expect([betas, sentinels].map(({ length }) => length)).toEqual([1, 5]);
    await set.killNode("sentinel-4");
    const { state, problems } = await set.status();
    expect([state, problems]).toEqual([
      "degraded",
      [expect.stringMatching(/^the Sentinel sentinel-4 does not answer/)],
    ]);
    await set.startNode("sentinel-4", { emptied: true });
    await set.waitUntilWhole();
  });

  it("says at once why a Sentinel cannot start, and leaves nothing running", async () => {
    await using set = await startLocalSet({ port: 20_330, downAfterMs: 1 });
    const pids = set.nodes.flatMap(({ pid }) => pid ?? []);
    await expect(set.waitUntilWhole()).rejects.toThrow(
      /sentinel-\d ended by itself: .*--down-after/,
    );
    await set.end();
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it.each([
    [{ nodes: 1 }, "1 nodes do not make a set"],
    [{ sentinels: 0 }, "0 Sentinels do not make a set"],
  ])("%j is refused before anything is started", async (options, message) => {
    await expect(startLocalSet(options)).rejects.toThrow(message);
  });
});

describe("rekindle up --topology sentinel", () => {
  it("leaves a set to itself with --detach, status misses whoever is gone, and down ends it without a trace", async () => {
    const room = openRoom();
    const up = await room.run(...upSet, "--port=20340", "--detach", "--json");
    expect(up.exitCode, up.stderr).toBe(0);
    const document = JSON.parse(up.stdout);
    expect(document).toMatchObject({ name: "default", state: "whole", set: "mymaster" });
    expect(document.seeds).toEqual(
      [20_343, 20_344, 20_345].map((port) => ({ host: "127.0.0.1", port })),
    );
    expect(document.nodes.map(({ name }: { name: string }) => name)).toEqual([
      "node-1",
      "node-2",
      "node-3",
    ]);
    expect(up.stderr).toContain(
      "clients ask the Sentinels 127.0.0.1:20343,127.0.0.1:20344,127.0.0.1:20345 for mymaster",
    );
    const pids = room.nodes();
    expect(pids).toHaveLength(6);

    const whole = await room.run("status");
    expect(whole).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("● whole") });
    expect(whole.stdout).toContain("sentinel-3 127.0.0.1:20345 names node-1");
    for (const index of [2, 5]) process.kill(pids[index] ?? 0, "SIGKILL");
    const broken = await room.run("status", "--json");
    expect(broken.exitCode).toBe(1);
    expect(JSON.parse(broken.stdout).problems).toEqual([
      expect.stringMatching(/^node-3 does not answer/),
      expect.stringMatching(/^the Sentinel sentinel-3 does not answer/),
    ]);

    const second = await room.run("up", "--port=20340");
    expect(second.exitCode).toBe(78);
    expect(second.stderr).toContain('the local set \\"default\\" runs already');
    const down = await room.run("down");
    expect(down.stdout).toContain("ended 4 nodes and Sentinels");
    await expectNothingLeft(room, pids);
  });

  it.each([
    ["while it runs", "● whole"],
    ["while it starts", "nodes answer"],
  ])("ends everything when it is interrupted %s", async (_when, text) => {
    const room = openRoom();
    const up = room.start(...upSet, "--port=20350");
    await printed(up, text);
    const pids = room.nodes();
    up.process.kill("SIGINT");
    expect((await up.finished).exitCode).toBe(0);
    await expectNothingLeft(room, pids);
  });

  it("takes over what a killed up has left, a cluster after a set too", async () => {
    const room = openRoom();
    const first = room.start(...upSet, "--port=20360");
    await printed(first, "● whole");
    const pids = room.nodes();
    first.process.kill("SIGKILL");
    await first.finished;
    const second = await room.run("up", "--port=20360", "--detach");
    expect(second.exitCode, second.stderr).toBe(0);
    expect(pids.filter(isRunning)).toEqual([]);
    expect((await room.run("down")).stdout).toContain("ended 6 nodes of the local cluster");
  });

  it("breaks and mends its set with --exercise, and loses no key", async () => {
    const room = openRoom();
    const { exitCode, stdout } = await room.run(...upSet, "--port=20370", "--exercise");
    expect(stdout).toMatch(/ ms {2}the Sentinels have elected node-[23]/);
    expect(stdout).toMatch(/ ms {2}node-1 is a beta in sync/);
    expect(stdout).toContain("all 3000 keys are there");
    expect(exitCode).toBe(0);
    expect(room.folders()).toEqual([]);
  });

  it("serves this machine only: neither nodes nor Sentinels listen elsewhere", async ({ skip }) => {
    const outside = outsideAddress();
    if (outside === undefined) return skip("the machine has no address but loopback");
    await using set = await startLocalSet({ port: 20_380 });
    await set.waitUntilWhole();
    for (const { address } of [...set.nodes, ...set.sentinels])
      await expectRefused({ ...address, ip: outside });
  });

  it.each([
    [["--replicas=1"], 64, "--replicas is not for --topology sentinel"],
    [["--nodes=101"], 78, "101 nodes do not make a set"],
    [["--server=/no/such-server"], 127, "/no/such-server was not found"],
  ])("refuses %j in one line, before it starts anything", async (flags, exitCode, message) => {
    const room = openRoom();
    const refused = await room.run(...upSet, ...flags);
    expect(refused).toMatchObject({ exitCode, stdout: "" });
    expect(refused.stderr).toContain(message);
    expect(refused.stderr.trim().split("\n")).toHaveLength(1);
    expect(room.folders()).toEqual([]);
  });
});
