/** A snapshot comes back: into a folder, and into clusters and sets that have lost everything. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { slotOf } from "../../src/rdb/slots.ts";
import {
  ask,
  boot,
  bootAll,
  countKeys,
  createNodes,
  describeLog,
  empty,
  exitOf,
  kill,
  type NodeUnderTest,
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
  await using group = createNodes(24_400, 3);
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
  await using group = createNodes(24_410, 6);
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

test.each([
  { nodes: 4, replicas: 0 },
  { nodes: 5, replicas: 0 },
])("the slots of three alphas are dealt anew to %o", async (counts) => {
  await using group = createNodes(24_420, counts.nodes);
  bootAll(group.nodes, { ...counts, flags: ["--restore-from", url] });
  await untilWhole(group.nodes);
  await expectAllKeys(group.nodes);
});
