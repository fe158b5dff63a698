import { describe, expect, it, onTestFinished } from "vitest";
import { startLocalCluster } from "../../src/local/local-cluster.ts";
import { openRoom, printed, type Room } from "./commands-under-test.ts";

/** A cluster that runs, with `rekindle status` beside it. */
async function openCluster(port: number): Promise<Room> {
  const room = openRoom();
  const { exitCode, stderr } = await room.run("up", `--port=${port}`, "--detach");
  expect(exitCode, stderr).toBe(0);
  return room;
}

describe("rekindle status", () => {
  it("finds the local cluster by itself: 0 when it is whole, 1 with what is wrong when it is not", async () => {
    const room = await openCluster(20_100);
    const whole = await room.run("status");
    expect(whole.exitCode).toBe(0);
    expect(whole.stdout).toContain("● whole");
    expect(whole.stdout).toContain("127.0.0.1:20105");
    expect(whole.stdout).not.toContain("\x1b");

    process.kill(room.nodes()[5] ?? 0, "SIGKILL");
    const broken = await room.run("status");
    expect(broken.exitCode).toBe(1);
    expect(broken.stdout).toMatch(/the beta node-6 of node-\d does not answer/);
  });

  it("finds all nodes from any one of them", async () => {
    await using cluster = await startLocalCluster({ port: 20_110 });
    await cluster.waitUntilWhole();
    const { exitCode, stdout } = await openRoom().run("status", "--connect=127.0.0.1:20114");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("6 nodes");
  });

  it("is one JSON document with --json", async () => {
    const room = await openCluster(20_120);
    const { exitCode, stdout } = await room.run("status", "--json");
    expect(exitCode).toBe(0);
    const status = JSON.parse(stdout);
    expect(status).toMatchObject({ state: "whole", problems: [], nodes: 6, slotsServed: 16_384 });
    expect(status.shards[0]).toMatchObject({
      slots: [[0, 5460]],
      alpha: { role: "alpha", answers: true, state: "ok" },
      betas: [{ role: "beta", answers: true, state: "ok", lagBytes: 0 }],
    });
  });

  it("exits with 75 where nobody answers, and says where it asked", async () => {
    const { exitCode, stdout } = await openRoom().run("status", "--connect=127.0.0.1:20139");
    expect(exitCode).toBe(75);
    expect(stdout).toContain("127.0.0.1:20139 does not answer");
  });

  it("tells what changes with --watch, once, until it is interrupted", async () => {
    const room = await openCluster(20_140);
    const watching = room.start("status", "--watch");
    onTestFinished(() => void watching.process.kill("SIGKILL"));
    await printed(watching, "● whole");
    process.kill(room.nodes()[5] ?? 0, "SIGKILL");
    await printed(watching, "the beta node-6");
    watching.process.kill("SIGINT");
    const { exitCode, stdout } = await watching.finished;
    expect(exitCode).toBe(1);
    expect(stdout.split("● whole")).toHaveLength(2);
  });
});
