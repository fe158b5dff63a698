/**
 * Any order of crashes, replacements, partitions, stale looks and cut-off actions: the rules hold, and a quiet system
 * converges. Repeatable as it is; REKINDLE_PROPERTY_RUNS runs more of them, REKINDLE_PROPERTY_SEED others.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isMyself } from "../../src/cluster/nodes.ts";
import { policy } from "./observations.ts";
import {
  actFrom,
  createWorld,
  cut,
  describeWorld,
  electBeta,
  isSettled,
  killPod,
  lookFrom,
  migrateReplica,
  newAddress,
  type Pod,
  passTime,
  serversOf,
  startPod,
  type World,
  writeEverywhere,
} from "./simulated-cluster.ts";
import { ownEntry } from "./simulated-server.ts";

const runs = Number(process.env.REKINDLE_PROPERTY_RUNS ?? 200);
const seed = Number(process.env.REKINDLE_PROPERTY_SEED ?? 20_261_120);
const parameters = { numRuns: runs, seed };

interface Move {
  readonly kind:
    | "look"
    | "act"
    | "kill"
    | "start"
    | "replace"
    | "readdress"
    | "elect"
    | "cut"
    | "mend"
    | "time"
    | "write";
  readonly pod: number;
  /** From whom it is cut. */
  readonly other: number;
  /** After how many of its steps an action is killed. */
  readonly limit: number;
}

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constant("look" as const) },
    { weight: 8, arbitrary: fc.constant("act" as const) },
    { weight: 6, arbitrary: fc.constant("time" as const) },
    { weight: 3, arbitrary: fc.constant("start" as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        "kill" as const,
        "replace" as const,
        "readdress" as const,
        "elect" as const,
        "write" as const,
        "mend" as const,
      ),
    },
    { weight: 2, arbitrary: fc.constant("cut" as const) },
  ),
  pod: fc.nat({ max: 5 }),
  other: fc.nat({ max: 5 }),
  limit: fc.oneof(
    { weight: 5, arbitrary: fc.constant(99) },
    { weight: 1, arbitrary: fc.nat({ max: 4 }) },
  ),
});

function play(world: World, { kind, pod: index, other, limit }: Move): void {
  const pod = world.pods[index] as Pod;
  world.history.push(`${kind} ${pod.name}`);
  switch (kind) {
    case "look":
      lookFrom(world, pod);
      return;
    case "act":
      actFrom(world, pod, limit);
      if (limit < 99 && pod.process?.kind === "booting") startPod(world, pod); // Killed in the middle, and started again.
      return;
    case "kill":
      killPod(world, pod);
      return;
    case "start":
      if (pod.process === undefined) startPod(world, pod);
      return;
    case "replace":
      killPod(world, pod);
      pod.disk = { table: undefined, data: new Map() };
      pod.address = newAddress(world);
      startPod(world, pod);
      return;
    case "readdress":
      killPod(world, pod);
      pod.address = newAddress(world);
      startPod(world, pod);
      return;
    case "elect":
      if (pod.process?.kind === "server") electBeta(world, pod.process.server);
      return;
    case "cut":
      if (other !== index) cut(world, pod, world.pods[other] as Pod);
      return;
    case "mend":
      world.cuts.clear();
      return;
    case "time":
      passTime(world, 1_000);
      return;
    case "write":
      writeEverywhere(world);
      return;
  }
}

/** Everybody runs and reaches everybody, nothing fails any more: rounds until the cluster is settled. */
function settle(world: World, rounds = 80): number {
  world.cuts.clear();
  for (let round = 0; round < rounds; round++) {
    for (const pod of world.pods) if (pod.process === undefined) startPod(world, pod);
    for (const pod of world.pods) {
      lookFrom(world, pod);
      actFrom(world, pod);
    }
    for (const server of serversOf(world)) electBeta(world, server);
    migrateReplica(world);
    passTime(world, 1_000);
    if (isSettled(world)) return round;
  }
  return -1;
}

/** Acknowledged and copied writes of each shard: the most that any server or disk ever held. */
function holdings(world: World): ReadonlyMap<number, number> {
  const most = new Map<number, number>();
  const stores = [
    ...serversOf(world).map((server) => server.data),
    ...world.pods.filter((pod) => pod.process?.kind !== "server").map((pod) => pod.disk.data),
  ];
  for (const [shard, count] of stores.flatMap((store) => [...store]))
    most.set(shard, Math.max(most.get(shard) ?? 0, count));
  return most;
}

/** Moves that take data away by themselves; all others are Redis' and ours. */
const isFault = ({ kind }: Move): boolean =>
  kind === "kill" || kind === "replace" || kind === "readdress";

function expectNothingWiped(world: World, before: ReadonlyMap<number, number>): void {
  const after = holdings(world);
  for (const [shard, count] of before) {
    if ((after.get(shard) ?? 0) < count)
      throw new Error(
        `shard ${shard} had ${count} writes, now ${after.get(shard) ?? 0}\n${describeWorld(world)}`,
      );
  }
}

/** Rule 1: an id that owns slots in its own eyes, unrivalled, is in the table of everybody who ever knew it and runs. */
function expectOneOwner(world: World): void {
  const claims = serversOf(world).flatMap((server) =>
    ownEntry(server).slots.map(([first]) => [first, ownEntry(server).epoch] as const),
  );
  for (const [first, epoch] of claims) {
    const rivals = claims.filter(([slot, other]) => slot === first && other === epoch);
    if (rivals.length > 1)
      throw new Error(
        `slot ${first} has ${rivals.length} owners of epoch ${epoch}\n${describeWorld(world)}`,
      );
  }
}

/**
 * Whoever owns slots still exists, a majority of them at least. Where too many alphas are gone with their disks, no election
 * can be won any more, and Rekindle waits for a person.
 */
function canVote(world: World): boolean {
  const servers = serversOf(world);
  const existing = new Set([
    ...servers.map((server) => server.id),
    ...world.pods.flatMap(({ process, disk }) =>
      process?.kind === "server" ? [] : (disk.table?.nodes.find(isMyself)?.id ?? []),
    ),
  ]);
  const tables = [
    ...servers.map((server) => [...server.known.values()]),
    ...world.pods.flatMap(({ disk }) => (disk.table ? [disk.table.nodes] : [])),
  ];
  return tables.every((nodes) => {
    const owners = nodes.filter((node) => node.slots.length > 0);
    return owners.filter((owner) => existing.has(owner.id)).length > owners.length / 2;
  });
}

function explore(persistent: boolean, onLostSlots: "wait" | "empty"): void {
  fc.assert(
    fc.property(fc.array(move, { minLength: 5, maxLength: 60 }), (moves) => {
      const world = createWorld({ ...policy, onLostSlots }, persistent);
      if (settle(world) < 0)
        throw new Error(`six blank pods founded nothing\n${describeWorld(world)}`);
      writeEverywhere(world);
      for (const one of moves) {
        const before = holdings(world);
        play(world, one);
        if (!isFault(one) && one.kind !== "write") expectNothingWiped(world, before);
        expectOneOwner(world);
      }
      if (onLostSlots === "empty" && canVote(world) && settle(world) < 0)
        throw new Error(`it does not settle\n${describeWorld(world)}`);
    }),
    parameters,
  );
}

test("memory only: nothing but a fault ever takes data away, whatever the order", () =>
  explore(false, "wait"));
test("with append-only files: nothing but a fault ever takes data away, and a quiet system converges", () =>
  explore(true, "empty"));
test("founding: started, killed and replaced in any order, six pods found one cluster in the end", () => {
  fc.assert(
    fc.property(fc.array(move, { minLength: 5, maxLength: 80 }), (moves) => {
      const world = createWorld({ ...policy, onLostSlots: "empty" }, false);
      for (const one of moves) {
        play(world, one);
        expectOneOwner(world);
      }
      if (settle(world) < 0) throw new Error(`it does not settle\n${describeWorld(world)}`);
    }),
    parameters,
  );
});
test("the simulation notices a wipe: without the guard an empty alpha takes its beta's data", () => {
  const world = createWorld(policy, false);
  expect(settle(world)).toBeGreaterThanOrEqual(0);
  writeEverywhere(world);
  const [pod] = world.pods;
  if (pod?.process?.kind !== "server") throw new Error("no server");
  const before = holdings(world);
  pod.process.server.data.clear();
  passTime(world, 1_000);
  expect(() => expectNothingWiped(world, before)).toThrow("had 1 writes");
});
