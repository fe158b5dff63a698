import type { StartedTestContainer } from "testcontainers";
import { describe, expect, inject, test } from "vitest";
import { until } from "../redis/until.ts";
import {
  type ContainerGroup,
  cli,
  createGroup,
  destroy,
  probe,
  untilReady,
} from "./containers-under-test.ts";

async function alphaOf(group: ContainerGroup): Promise<StartedTestContainer> {
  for (const container of group.containers) {
    const nodes = await cli(container, "cluster", "nodes");
    if (/myself,master .*\d+-\d+/.test(nodes)) return container;
  }
  throw new Error("no alpha among the containers");
}

/** Nine keys, each copied to a beta before this returns: what is acknowledged only, a killed alpha may take with it. */
async function writeKeys(group: ContainerGroup): Promise<void> {
  const [first] = group.containers;
  const set =
    "c=redis-cli; command -v redis-cli >/dev/null || c=valkey-cli; for i in 1 2 3 4 5 6 7 8 9; do $c -c set key:$i $i; done";
  await first?.exec(["sh", "-c", set]);
  const offsetsOf = async (container: StartedTestContainer) => {
    const info = await cli(container, "info", "replication");
    return [...info.matchAll(/(?:^slave.*offset|^master_repl_offset)[=:](\d+)/gm)].map(
      ([, at]) => at,
    );
  };
  for (const container of group.containers) {
    if (!(await cli(container, "role")).startsWith("master")) continue;
    await until(
      "a copy on a beta",
      () => offsetsOf(container),
      (offsets) => offsets.length > 1 && new Set(offsets).size === 1,
    );
  }
}

async function countKeys(group: ContainerGroup): Promise<number> {
  const counts = await Promise.all(
    group.containers.map(async (container) =>
      (await cli(container, "role")).startsWith("master")
        ? Number(await cli(container, "dbsize"))
        : 0,
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

const images = inject("images");

describe.skipIf(images.length === 0).each(images.length > 0 ? images : ["no image"])(
  "%s",
  (image) => {
    test.concurrent("six containers that share a DNS name found a cluster; without root, capabilities or a writable root", async () => {
      await using group = await createGroup(image);
      await Promise.all(Array.from({ length: 6 }, () => group.start()));
      await untilReady(group.containers);
      const [first] = group.containers;
      expect(
        (await first?.exec(["sh", "-c", "id -u; cat /proc/1/comm; touch /x 2>&1"]))?.output,
      ).toMatch(/^999\n(redis|valkey)-server\n.*Read-only/s);

      await until(
        "a whole cluster, seen from inside",
        async () => (await first?.exec(["rekindle", "status"]))?.output ?? "",
        (output) => output.includes("● whole"),
      );
      await writeKeys(group);
      const alpha = await alphaOf(group);
      await destroy(group, alpha);
      await group.start();
      await untilReady(group.containers);
      await until(
        "all keys",
        () => countKeys(group),
        (keys) => keys === 9,
      );
      // The servers agree on shard ids by themselves. CLUSTER SHARDS is new in 7.0.
      await until(
        "betas in their alphas' shards",
        () => Promise.all(group.containers.map((container) => cli(container, "cluster", "shards"))),
        (all) => all.every((one) => one.startsWith("ERR") || one.match(/^slots$/gm)?.length === 3),
      );
    });

    test.concurrent("all containers restarted at once, with new addresses where Docker gives them, keep their data", async () => {
      await using group = await createGroup(image);
      await Promise.all(Array.from({ length: 6 }, () => group.start()));
      await untilReady(group.containers);
      await writeKeys(group);
      await Promise.all(group.containers.map((container) => container.restart({ timeout: 0 })));
      await untilReady(group.containers);
      await until(
        "all keys",
        () => countKeys(group),
        (keys) => keys === 9,
      );
    });
  },
);

describe.skipIf(images.length === 0)("probes", () => {
  const [image = ""] = images.slice(-1);

  test("while it waits for its peers a node is alive and not ready; so is a blank server, and says why", async () => {
    await using group = await createGroup(image);
    const peers = "127.0.0.1:6379,127.0.0.1:1,127.0.0.1:2";
    const flags = ["--peers", peers, "--nodes", "3", "--replicas", "0"];
    const container = await group.start({}, ["cluster", ...flags]);
    // Restarted, it would wait for the same.
    expect((await probe(container, "liveness")).ready).toBe(true);
    expect((await probe(container, "readiness")).ready).toBe(false);
    // A peer later by name would found the cluster: this one becomes blank at once.
    const later = await group.start({}, [
      "cluster",
      "--peers",
      `${peers.replace(":1,", ":9998,").replace(":2", ":9999")}`,
      ...flags.slice(2),
    ]);
    await until(
      "a server",
      () => probe(later, "readiness"),
      ({ output }) => output === "not ready: cluster_state is not ok",
    );
    expect((await probe(later, "liveness")).ready).toBe(true);
  });

  test("with a password of any bytes both probes get in, and a wrong one is told", async () => {
    await using group = await createGroup(image);
    const environment = {
      REKINDLE_PASSWORD: `a "b" 'c' $HOME \\ #%`,
      REKINDLE_NODES: "3",
      REKINDLE_REPLICAS: "0",
    };
    await Promise.all(Array.from({ length: 3 }, () => group.start(environment)));
    const [first] = group.containers;
    if (first === undefined) throw new Error("no container");
    await until(
      "ready",
      () => probe(first, "readiness"),
      ({ ready }) => ready,
      60_000,
    );
    const wrong = await first.exec(["sh", "-c", "REKINDLE_PASSWORD=wrong readiness"]);
    expect(wrong).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining("refuses the password"),
    });
    expect((await first.exec(["sh", "-c", "REKINDLE_PASSWORD=wrong liveness"])).exitCode).toBe(0);
  });

  test("a server that is busy with a script is alive", async () => {
    await using group = await createGroup(image);
    await Promise.all(
      Array.from({ length: 3 }, () => group.start({ REKINDLE_NODES: "3", REKINDLE_REPLICAS: "0" })),
    );
    await untilReady(group.containers);
    const [first] = group.containers;
    if (first === undefined) throw new Error("no container");
    await first.exec([
      "sh",
      "-c",
      'c=redis-cli; command -v redis-cli >/dev/null || c=valkey-cli; $c config set lua-time-limit 50; ($c eval "while true do end" 0 >/dev/null 2>&1 &)',
    ]);
    await until(
      "a busy server",
      () => cli(first, "ping"),
      (reply) => reply.includes("BUSY"),
    );
    expect((await probe(first, "liveness")).ready).toBe(true);
    await cli(first, "script", "kill");
  });

  test("rule 9: a beta that has lost its alpha, or copies it whole, is alive and not ready", async () => {
    await using group = await createGroup(image);
    await Promise.all(Array.from({ length: 6 }, () => group.start()));
    await untilReady(group.containers);
    await writeKeys(group);
    const roles = await Promise.all(group.containers.map((container) => cli(container, "role")));
    const isAlpha = (index: number): boolean => roles[index]?.startsWith("master") ?? false;
    const alphas = group.containers.filter((_, index) => isAlpha(index));
    const beta = group.containers.find((_, index) => !isAlpha(index));
    if (beta === undefined) throw new Error("no beta among the containers");
    const untilItSays = (expected: string): Promise<string> =>
      until(
        expected || "ready",
        async () => (await probe(beta, "readiness")).output,
        (output) => output === expected,
      );

    await cli(beta, "config", "set", "masterauth", "not-its-password");
    await cli(beta, "client", "kill", "type", "master");
    await untilItSays("not ready: the link to the alpha is down");
    expect((await probe(beta, "liveness")).ready).toBe(true);

    await cli(beta, "config", "set", "masterauth", "");
    await untilItSays("");
    // Another alpha's data is never a part of what it has. Twenty seconds a key: the copy does not end within this test.
    const followed = /myself,slave (\S+)/.exec(await cli(beta, "cluster", "nodes"))?.[1];
    for (const alpha of alphas) {
      const id = await cli(alpha, "cluster", "myid");
      if (id === followed) continue;
      await cli(alpha, "config", "set", "rdb-key-save-delay", "20000000");
      await cli(beta, "cluster", "replicate", id);
      break;
    }
    await untilItSays("not ready: a full sync is under way");
    expect((await probe(beta, "liveness")).ready).toBe(true);
  });

  test("each probe is at most one redis-cli call", async () => {
    await using group = await createGroup(image);
    const container = await group.start({}, ["cluster", "--dns", "redis-peers"]);
    // While Rekindle waits, liveness need not ask anybody.
    for (const [which, calls] of [
      ["readiness", "1"],
      ["liveness", "0"],
    ] as const) {
      const script = `mkdir -p /data/bin && printf '#!/bin/sh\\necho call >>/data/calls\\n' >/data/bin/redis-cli && chmod +x /data/bin/redis-cli && : >/data/calls && PATH=/data/bin:$PATH ${which}; wc -l </data/calls`;
      expect((await container.exec(["sh", "-c", script])).output.trim().split("\n").at(-1)).toBe(
        calls,
      );
    }
  });
});
