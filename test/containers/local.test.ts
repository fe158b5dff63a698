import { spawnSync } from "node:child_process";
import { Cluster, Redis } from "ioredis";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { startLocalCluster } from "../../src/local/local-cluster.ts";
import { startLocalSet } from "../../src/local/local-set.ts";
import { openRoom } from "../redis/commands-under-test.ts";

const [image = ""] = inject("images");

/** Containers and networks of this name, running or not. */
function leftOf(name: string): readonly string[] {
  const lists = [
    ["ps", "--all", "--quiet", "--filter", `label=rekindle.cluster=${name}`],
    ["network", "ls", "--quiet", "--filter", `name=^rekindle-${name}$`],
  ];
  return lists.flatMap(
    (args) => spawnSync("docker", args, { encoding: "utf8" }).stdout.match(/\S+/g) ?? [],
  );
}

describe.skipIf(image === "")("a local cluster of containers", () => {
  test("rekindle up leaves it to itself with --detach, status sees it, and down ends it without a trace", async () => {
    const room = openRoom();
    const where = ["--backend=containers", `--image=${image}`, "--name=test-detached"];
    const up = await room.run("up", ...where, "--detach", "--json");
    onTestFinished(async () => void (await room.run("down", "--name=test-detached")));
    expect(up.exitCode, up.stderr).toBe(0);
    const document = JSON.parse(up.stdout);
    expect(document).toMatchObject({ name: "test-detached", state: "whole" });
    expect(Object.values(document.natMap)).toEqual(expect.arrayContaining(document.seeds));
    const client = new Cluster(document.seeds, { natMap: document.natMap });
    onTestFinished(() => client.disconnect());
    expect(await client.set("from", "outside")).toBe("OK");
    expect(leftOf("test-detached")).toHaveLength(7);
    const status = await room.run("status", "--name=test-detached");
    expect(status).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("● whole") });

    const down = await room.run("down", "--name=test-detached");
    expect(down).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("ended 6 nodes") });
    expect(leftOf("test-detached")).toEqual([]);
  });

  test("rekindle up breaks and mends it with --exercise, and loses no key", async () => {
    const where = ["--backend=containers", `--image=${image}`, "--name=test-exercise"];
    const { exitCode, stdout, stderr } = await openRoom().run("up", ...where, "--exercise");
    expect(stdout, stderr).toContain("all 3000 keys are there");
    expect(exitCode).toBe(0);
    expect(leftOf("test-exercise")).toEqual([]);
  });

  test("the library's client reaches every node from outside the network", async () => {
    await using cluster = await startLocalCluster({
      backend: "containers",
      image,
      name: "test-client",
    });
    await cluster.waitUntilWhole();
    const client = new Cluster([...cluster.seeds], { natMap: cluster.natMap });
    client.on("error", () => {}); // The cluster ends before it.
    onTestFinished(() => client.disconnect());
    const keys = Array.from({ length: 30 }, (_, index) => `key:${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
  });
});

describe.skipIf(image === "")("a local set of containers", () => {
  const upSet = ["up", "--topology=sentinel", "--backend=containers", `--image=${image}`];

  test("rekindle up leaves it to itself with --detach, status sees it, and down ends it without a trace", async () => {
    const room = openRoom();
    const up = await room.run(...upSet, "--name=test-set", "--detach", "--json");
    onTestFinished(async () => void (await room.run("down", "--name=test-set")));
    expect(up.exitCode, up.stderr).toBe(0);
    const { natMap, seeds, ...document } = JSON.parse(up.stdout);
    expect(document).toMatchObject({ name: "test-set", set: "mymaster" });
    expect(Object.values(natMap)).toHaveLength(6);
    expect(Object.values(natMap)).toEqual(expect.arrayContaining(seeds));
    expect(leftOf("test-set")).toHaveLength(7);
    const status = await room.run("status", "--name=test-set");
    expect(status).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("● whole") });
    expect(status.stdout).toContain("names rekindle-test-set-1");

    const down = await room.run("down", "--name=test-set");
    expect(down.stdout).toContain("ended 6 nodes and Sentinels");
    expect(leftOf("test-set")).toEqual([]);
  });

  test("rekindle up breaks and mends it with --exercise, and loses no key", async () => {
    const { exitCode, stdout, stderr } = await openRoom().run(
      ...[...upSet, "--name=test-set-exercise", "--exercise"],
    );
    expect(stdout, stderr).toContain("all 3000 keys are there");
    expect(exitCode).toBe(0);
    expect(leftOf("test-set-exercise")).toEqual([]);
  });

  test("the library's client reaches the alpha from outside the network, and the next one", async () => {
    await using set = await startLocalSet({
      backend: "containers",
      image,
      name: "test-set-client",
    });
    const { alpha } = await set.waitUntilWhole();
    const client = new Redis({ ...set.clientOptions, maxRetriesPerRequest: null });
    client.on("error", () => {});
    onTestFinished(() => client.disconnect());
    await client.set("here", "there");
    expect(await client.wait(2, 5_000)).toBe(2);
    await set.killNode(alpha?.name ?? "");
    expect(await client.get("here")).toBe("there");
    expect((await set.status()).alpha?.name).not.toBe(alpha?.name);
  });
});
