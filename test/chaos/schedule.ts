/**
 * What happens, and when: the same for the same seed. Pure.
 */
import {
  type Episode,
  type Fault,
  type FaultKind,
  faultKinds,
  type Schedule,
  type Target,
  type Topology,
} from "./faults.ts";
import { createRandom, type Random } from "./random.ts";

/** How often each begins an episode, beside the others. */
const weights: Readonly<Record<FaultKind, number>> = {
  kill: 4,
  terminate: 1,
  drain: 2,
  roll: 0.7,
  pause: 2,
  replace: 4,
  move: 1.5,
  "all-down": 1,
  cut: 2.5,
  "cut-one-way": 1,
  slow: 1,
  dns: 1,
  "disk-full": 1,
  "out-of-memory": 1,
  "boot-kill": 2,
};

/** Those after which a node's memory, or more, is gone. */
const destructive: readonly FaultKind[] = [
  "kill",
  "terminate",
  "replace",
  "move",
  "boot-kill",
  "out-of-memory",
];
/** Those that hit all, or everybody's name server: nothing comes on top. */
const alone: readonly FaultKind[] = ["all-down", "roll"];

export interface ScheduleOptions {
  readonly seed: number;
  readonly topology: Topology;
  readonly episodes: number;
  /** Without it all. */
  readonly faults?: readonly FaultKind[];
  readonly persists?: boolean;
}

const shardCount = { cluster: 3, sentinel: 1 } as const;
const nodeCount = { cluster: 6, sentinel: 3 } as const;

export function drawSchedule(options: ScheduleOptions): Schedule {
  const { seed, topology, episodes, faults = faultKinds } = options;
  const random = createRandom(seed);
  // Drawn in any case, so that what follows is the same.
  const drawn = random.chance(0.6);
  const persists = options.persists ?? drawn;
  const possible = faults.filter((kind) => isPossible(kind, persists));
  if (possible.length === 0) throw new Error("none of these faults can be borne without a disk");
  const choices = possible.map((kind) => [kind, weights[kind]] as const);
  return {
    seed,
    topology,
    persists,
    episodes: Array.from({ length: episodes }, () =>
      drawEpisode(random, { topology, persists, choices }),
    ),
  };
}

/** Nodes that keep nothing are not ended all at once: then all is lost, as everybody knows. */
const isPossible = (kind: FaultKind, persists: boolean): boolean =>
  persists || (kind !== "all-down" && kind !== "disk-full");

interface Around {
  readonly topology: Topology;
  readonly persists: boolean;
  readonly choices: readonly (readonly [FaultKind, number])[];
}

function drawEpisode(random: Random, around: Around): Episode {
  const first = drawFault(random, random.weighted(around.choices), 0, around);
  const more = second(random, first, around);
  const faults = more === undefined ? [first] : [first, more];
  return { name: faults.map(({ kind }) => kind).join(" + "), faults };
}

/** A quarter of the episodes has one on top: two replacements at once, a replacement while a failover runs, … */
function second(random: Random, first: Fault, around: Around): Fault | undefined {
  const isDouble = random.chance(0.25);
  const afterMs = random.weighted([
    [random.between(0, 300), 1],
    [random.between(1_500, 4_500), 1],
  ]);
  const kind = random.weighted(around.choices);
  if (!isDouble || alone.includes(first.kind) || alone.includes(kind)) return undefined;
  const fault = drawFault(random, kind, afterMs, around);
  return isBearable(first, fault, around)
    ? fault
    : { ...fault, target: elsewhere(first, fault, around) };
}

/** Of every shard one node keeps what it has, and a majority of the alphas what it voted with. */
function isBearable(first: Fault, then: Fault, { persists }: Around): boolean {
  if (first.target.role === "sentinel" || then.target.role === "sentinel")
    return first.target.role !== then.target.role;
  const loses = ({ kind }: Fault) =>
    kind === "replace" || kind === "dns" || (!persists && destructive.includes(kind));
  if (!loses(first) && !loses(then)) return true;
  if (first.target.shard === then.target.shard) return false;
  return first.target.role === "beta" || then.target.role === "beta";
}

function elsewhere(first: Fault, then: Fault, { topology }: Around): Target {
  if (topology === "sentinel")
    return first.target.role === "sentinel"
      ? { role: "beta", shard: 0 }
      : { role: "sentinel", shard: 0 };
  return {
    role: "beta",
    shard: (first.target.shard + 1 + (then.target.shard % 2)) % shardCount.cluster,
  };
}

function drawFault(random: Random, kind: FaultKind, afterMs: number, { topology }: Around): Fault {
  const count = nodeCount[topology];
  const target: Target = {
    role: random.weighted([
      ["alpha", 6],
      ["beta", 3],
      ["sentinel", topology === "sentinel" && canHitSentinel(kind) ? 3 : 0],
    ] as const),
    shard: random.between(0, topology === "cluster" ? shardCount.cluster - 1 : 2),
  };
  const fault: Fault = { kind, target, afterMs, forMs: drawLength(random, kind) };
  switch (kind) {
    case "cut":
      return { ...fault, from: random.pick(["peers", "shard", "half", "all"] as const) };
    case "cut-one-way":
      return { ...fault, from: random.pick(["peers", "shard"] as const), deaf: random.chance(0.5) };
    case "all-down":
      return {
        ...fault,
        moves: random.chance(0.5),
        delaysMs: Array.from({ length: count }, () => random.between(0, 4_000)),
      };
    case "boot-kill":
      return { ...fault, delaysMs: Array.from({ length: 3 }, () => random.between(5, 400)) };
    case "slow":
      return { ...fault, lossPercent: random.pick([1, 3, 5]) };
    case "dns":
      return { ...fault, answer: random.pick(["stale", "nothing"] as const) };
    default:
      return fault;
  }
}

const canHitSentinel = (kind: FaultKind): boolean =>
  ["kill", "replace", "pause", "cut", "cut-one-way", "move", "boot-kill"].includes(kind);

/** A server is back before anybody misses it, or long after: both are worth trying. */
function drawLength(random: Random, kind: FaultKind): number {
  switch (kind) {
    case "kill":
    case "terminate":
      return random.weighted([
        [0, 2],
        [random.between(200, 2_500), 3],
        [random.between(3_500, 9_000), 3],
      ]);
    case "replace":
    case "move":
      return random.weighted([
        [random.between(0, 1_000), 3],
        [random.between(2_000, 8_000), 2],
      ]);
    case "pause":
      return random.weighted([
        [random.between(300, 1_500), 1],
        [random.between(4_000, 10_000), 2],
      ]);
    case "cut":
    case "cut-one-way":
      return random.weighted([
        [random.between(500, 2_000), 1],
        [random.between(4_000, 12_000), 2],
      ]);
    case "all-down":
      return random.between(0, 3_000);
    case "drain":
    case "roll":
    case "out-of-memory":
    case "boot-kill":
      return 0;
    default:
      return random.between(4_000, 10_000);
  }
}
