/** A snapshot comes back: into a folder, and into clusters and sets that have lost everything. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeSlots, parseNodes } from "../../src/cluster/nodes.ts";
import { slotOf } from "../../src/rdb/slots.ts";
import {
  ask,
  type BootOptions,
  boot,
  bootAll,
  countKeys,
  createNodes,
  describeLog,
  empty,
  exitOf,
  kill,
  launch,
  type NodeUnderTest,
  peersOf,
  shardsOf,
  untilWhole,
  writeKeys,
} from "./nodes-under-test.ts";
import { takeByHand } from "./snapshots-under-test.ts";
import { until } from "./until.ts";

/** Of three alphas, with keys on all of them. */
let snapshot = "";
let url = "";
const perShard = 2_000;
let keyCount = 0;

const appendonly = (root: string): readonly string[] => {
  const config = join(root, "redis.conf");
  writeFileSync(config, "appendonly yes\n");
  return ["--config", config];
};

beforeAll(async () => {
  snapshot = mkdtempSync(join(tmpdir(), "rekindle-snapshots-"));
  url = `file://${snapshot}`;
  await using group = createNodes(20_400, 3);
  bootAll(group.nodes, { nodes: 3, replicas: 0 });
  await untilWhole(group.nodes);
  await writeKeys(group.nodes, perShard);
  keyCount = await countKeys(group.nodes);
  const shards = await shardsOf(group.nodes);
  takeByHand(
    snapshot,
    shards.map(({ alpha, slots }) => ({
      port: alpha.port,
      slots: slots.map((range) => range.join("-")),
    })),
  );
});

afterAll(() => rmSync(snapshot, { recursive: true, force: true }));

/** Every key is on the alpha that owns its slot, with its value. */
async function expectAllKeys(nodes: readonly NodeUnderTest[]): Promise<void> {
  const owners = await Promise.all(
    nodes.map(async (node) => {
      const table = parseNodes(String((await ask(node, [["CLUSTER", "NODES"]]))[0]));
      const own = table.nodes.filter(({ slots }) => slots.length > 0);
      return own.map(({ id, slots }) => `${id} ${describeSlots(slots)}`).sort();
    }),
  );
  for (const seen of owners) expect(seen).toEqual(owners[0]);
  expect(await countKeys(nodes)).toBe(keyCount);
  for (const { alpha, slots } of await shardsOf(nodes)) {
    const [names] = await ask(alpha, [["KEYS", "*"]]);
    for (const name of names as readonly string[]) {
      const slot = slotOf(Buffer.from(name));
      expect(
        slots.some(([first, last]) => first <= slot && slot <= last),
        name,
      ).toBe(true);
    }
    const values = await ask(
      alpha,
      (names as readonly string[]).map((name) => ["GET", name]),
    );
    expect(values).toEqual((names as readonly string[]).map((name) => name.split(":")[1]));
  }
}

test("a cluster of three, with betas, is founded with all keys of the snapshot", async () => {
  await using group = createNodes(20_410, 6);
  const flags = [...appendonly(group.root), "--restore-from", url];
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  await expectAllKeys(group.nodes);
  // Once by design: they come back with what they have.
  const [first] = await shardsOf(group.nodes);
  if (first === undefined) throw new Error("no shard");
  await ask(first.alpha, [["FLUSHALL"], ["WAIT", 1, 3_000]]);
  const before = await countKeys(group.nodes);
  await Promise.all(group.nodes.map((node) => kill(node)));
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  expect(await countKeys(group.nodes)).toBe(before);
  // And again from the beginning, when all disks are gone.
  await Promise.all(group.nodes.map((node) => kill(node)));
  for (const node of group.nodes) empty(node);
  bootAll(group.nodes, { flags });
  await untilWhole(group.nodes);
  await expectAllKeys(group.nodes);
});

test("the slots of three alphas are dealt anew to five", async () => {
  await using group = createNodes(20_420, 5);
  bootAll(group.nodes, { nodes: 5, replicas: 0, flags: ["--restore-from", url] });
  await untilWhole(group.nodes);
  await expectAllKeys(group.nodes);
});

/** Starts all, and kills all with -9 as soon as one of them says it. */
async function killWhen(
  nodes: readonly NodeUnderTest[],
  says: RegExp,
  options: BootOptions,
): Promise<void> {
  const said = new Promise<void>((resolve) => {
    for (const node of nodes)
      node.onOutput.add((output) => {
        if (says.test(output)) resolve();
      });
  });
  bootAll(nodes, options);
  await said;
  await Promise.all(nodes.map((node) => kill(node)));
  for (const node of nodes) node.onOutput.clear();
}

test("killed anywhere in the middle, all of them, it ends well all the same", async () => {
  const moments = [/restored snapshot/, /founding:/];
  for (const moment of moments) {
    await using group = createNodes(20_430, 4);
    const options = {
      nodes: 4,
      replicas: 0,
      flags: [...appendonly(group.root), "--restore-from", url],
    };
    await killWhen(group.nodes, moment, options);
    bootAll(group.nodes, options);
    await untilWhole(group.nodes);
    await expectAllKeys(group.nodes);
    for (const { dir } of group.nodes)
      expect(readdirSync(dir).filter((name) => name.startsWith("rekindle-restor"))).toEqual([]);
  }
});

test("a node that is killed while the store is slow leaves nothing that starts, and is waited for", async () => {
  const slow = mkdtempSync(join(tmpdir(), "rekindle-slow-"));
  cpSync(snapshot, slow, { recursive: true });
  const file = readdirSync(slow, { recursive: true, encoding: "utf8" }).find((name) =>
    name.endsWith("/0.rdb"),
  );
  if (file === undefined) throw new Error("no file");
  // Who opens a pipe waits for somebody to write.
  rmSync(join(slow, file));
  execFileSync("mkfifo", [join(slow, file)]);
  await using group = createNodes(20_440, 6);
  const flags = [...appendonly(group.root), "--restore-from", `file://${slow}`];
  try {
    const [first, ...others] = group.nodes;
    if (first === undefined) throw new Error("no node");
    bootAll(group.nodes, { flags });
    await until(
      "the first node's restore, and the others waiting for it",
      () => [first.output, ...others.map(({ output }) => output)],
      ([own, ...rest]) =>
        /restoring snapshot/.test(own ?? "") &&
        rest.some((one) => one.includes("it restores slots 0-5460")),
    );
    await kill(first);
    expect(readdirSync(first.dir)).toContain("rekindle-restoring");
    rmSync(join(slow, file));
    cpSync(join(snapshot, file), join(slow, file));
    boot(first, group.nodes, { flags });
    await untilWhole(group.nodes);
    await expectAllKeys(group.nodes);
    expect(first.output).toContain("a restore was cut off");
  } finally {
    rmSync(slow, { recursive: true });
  }
});

test("a store without a snapshot: an empty cluster, and it is said", async () => {
  await using group = createNodes(20_450, 3);
  const flags = ["--restore-from", `file://${join(group.root, "nothing")}`];
  bootAll(group.nodes, { nodes: 3, replicas: 0, flags });
  await untilWhole(group.nodes);
  for (const { output } of group.nodes)
    expect(output).toContain("holds no snapshot; starting empty");
});

test("a store that cannot be reached: nobody is founded empty", async () => {
  await using group = createNodes(20_460, 3);
  const flags = [
    "--restore-from",
    "s3://bucket/prefix",
    "--store-endpoint",
    "http://127.0.0.1:9",
    "--store-patience",
    "2s",
  ];
  const environment = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
  bootAll(group.nodes, { nodes: 3, replicas: 0, flags, environment });
  for (const node of group.nodes) {
    expect(await exitOf(node)).toBe(75);
    expect(node.output).toContain("s3://bucket/prefix");
  }
});

test("--on-lost-slots restore: a new node has the lost slots as the snapshot has them", async () => {
  await using group = createNodes(20_470, 3);
  const counts = { nodes: 3, replicas: 0 };
  const flags = [
    "--node-timeout",
    "1s",
    "--peer-wait",
    "1s",
    "--restore-from",
    url,
    "--on-lost-slots",
    "restore",
  ];
  bootAll(group.nodes, { ...counts, flags });
  await untilWhole(group.nodes);
  const [, lost] = await shardsOf(group.nodes);
  if (lost === undefined) throw new Error("no second shard");
  await kill(lost.alpha);
  empty(lost.alpha);
  boot(lost.alpha, group.nodes, { ...counts, flags });
  // At the old one's address, and nobody takes it for that one.
  await untilWhole(group.nodes);
  await expectAllKeys(group.nodes);
  const [, restored] = await shardsOf(group.nodes);
  expect(restored?.slots).toEqual(lost.slots);
  // The same node, and only its data is gone.
  await kill(lost.alpha);
  rmSync(join(lost.alpha.dir, "dump.rdb"));
  boot(lost.alpha, group.nodes, { ...counts, flags });
  await untilWhole(group.nodes);
  await expectAllKeys(group.nodes);
});

test("a set: the first restores before it leads, and comes back with what it has", async () => {
  await using group = createNodes(20_480, 2);
  const config = appendonly(group.root);
  const start = () => {
    for (const node of group.nodes)
      launch(node, [
        "replication",
        "--nodes",
        "2",
        "--peers",
        peersOf(group.nodes),
        "--port",
        `${node.port}`,
        "--dir",
        node.dir,
        "--sentinel-port",
        "20489",
        ...config,
        "--restore-from",
        url,
      ]);
  };
  const untilBothHave = (keys: number) =>
    until(
      "both with all keys",
      () =>
        Promise.all(
          group.nodes.map(async (node) => (await ask(node, [["DBSIZE"]]).catch(() => []))[0]),
        ),
      (counts) => counts.every((count) => count === keys),
      30_000,
      () => group.nodes.map(describeLog).join("\n"),
    );
  start();
  await untilBothHave(keyCount);
  expect(group.nodes.filter(({ output }) => output.includes("restored snapshot"))).toHaveLength(1);
  const [alpha] = group.nodes;
  await ask(alpha as NodeUnderTest, [
    ["DEL", "key:1"],
    ["WAIT", 1, 3_000],
  ]);
  await Promise.all(group.nodes.map((node) => kill(node)));
  start();
  await untilBothHave(keyCount - 1);
});
