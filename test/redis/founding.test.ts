import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ask,
  boot,
  bootAll,
  countKeys,
  createNodes,
  kill,
  shardsOf,
  untilWhole,
  writeKeys,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

test("six nodes that start at once become one cluster of three alphas with a beta each", async () => {
  await using group = createNodes(22000, 6);
  bootAll(group.nodes);
  await untilWhole(group.nodes);
  const shards = await shardsOf(group.nodes);
  expect(shards.map((shard) => shard.slots)).toEqual([
    [[0, 5460]],
    [[5461, 10922]],
    [[10923, 16383]],
  ]);
  expect(shards.map((shard) => shard.betas.length)).toEqual([1, 1, 1]);
});

test("three nodes without betas become three alphas, the coordinator one of them", async () => {
  await using group = createNodes(22010, 3);
  bootAll(group.nodes, { nodes: 3, replicas: 0 });
  await untilWhole(group.nodes);
  expect(await shardsOf(group.nodes)).toHaveLength(3);
});

test("nodes that start one by one, in any order, become one cluster", async () => {
  await using group = createNodes(22020, 6);
  const order = [5, 2, 0, 4, 3, 1]
    .map((index) => group.nodes[index])
    .filter((node) => node !== undefined);
  for (const node of order) {
    boot(node, group.nodes);
    await until(
      `${node.name} is on its way`,
      () => node.output,
      (output) => /"event":"(become|wait)"/.test(output),
    );
  }
  await untilWhole(group.nodes);
});

test("a coordinator killed after any of its actions is started again and carries on", async () => {
  for (let actions = 0; actions <= 10; actions++) {
    await using group = createNodes(22030, 6);
    const last = group.nodes[5];
    if (last === undefined) throw new Error("no last node");
    const cutOff = new Promise<void>((resolve) => {
      last.onOutput.add((output) => {
        if ((output.match(/"event":"(action|decided|become)"/g) ?? []).length < actions) return;
        last.onOutput.clear();
        last.process?.kill("SIGKILL");
        resolve();
      });
    });
    bootAll(group.nodes);
    await cutOff;
    await kill(last);
    boot(last, group.nodes);
    const views = await untilWhole(group.nodes);
    expect(views, `cut off after ${actions} actions`).toHaveLength(6);
    expect((await shardsOf(group.nodes)).map((shard) => shard.slots)).toEqual([
      [[0, 5460]],
      [[5461, 10922]],
      [[10923, 16383]],
    ]);
  }
});

test("all six killed in the middle of founding are started again and found the cluster", async () => {
  for (let actions = 1; actions <= 9; actions += 2) {
    await using group = createNodes(22040, 6);
    const last = group.nodes[5];
    const cutOff = new Promise<void>((resolve) => {
      last?.onOutput.add((output) => {
        if ((output.match(/"event":"(action|decided)"/g) ?? []).length >= actions) resolve();
      });
    });
    bootAll(group.nodes);
    await cutOff;
    await Promise.all(group.nodes.map((node) => kill(node)));
    bootAll(group.nodes);
    await untilWhole(group.nodes);
  }
});

test("nodes that were up for long are founded as quickly, and keep their node timeout", async () => {
  await using group = createNodes(22050, 6);
  for (const node of group.nodes.slice(0, 5)) boot(node, group.nodes);
  const last = group.nodes[5];
  if (last === undefined) throw new Error("no last node");
  await until(
    "five blank nodes past Redis' two seconds",
    async () =>
      Promise.all(
        group.nodes
          .slice(0, 5)
          .map(async (node) =>
            String((await ask(node, [["INFO", "server"]]).catch(() => [""]))[0]),
          ),
      ),
    (infos) => infos.every((info) => Number(/uptime_in_seconds:(\d+)/.exec(info)?.[1] ?? 0) >= 4),
  );
  boot(last, group.nodes);
  await untilWhole(group.nodes);
  for (const node of group.nodes) {
    expect((await ask(node, [["CONFIG", "GET", "cluster-node-timeout"]]))[0]).toEqual([
      "cluster-node-timeout",
      "5000",
    ]);
  }
});

test("founding never runs twice: nodes of a founded cluster that start again keep their data", async () => {
  await using group = createNodes(22060, 6);
  const config = join(group.root, "redis.conf");
  writeFileSync(config, "appendonly yes\n");
  const flags = ["--config", config];
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  await writeKeys(group.nodes, 300);
  const before = await countKeys(group.nodes);
  await Promise.all(group.nodes.map((node) => kill(node, "SIGTERM")));
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  expect(await countKeys(group.nodes)).toBe(before);
});
