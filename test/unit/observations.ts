/**
 * Observations for the planner's tests: a cluster described in a few words, as its nodes would describe it.
 */
import type { Address } from "../../src/address.ts";
import type { NodeEntry, NodeTable, SlotRange } from "../../src/cluster/nodes.ts";
import type { Answer, Observation, PeerView, Policy, Self } from "../../src/cluster/types.ts";

/** Node `a` has the id aaaa…, listens at 10.0.0.a and is called `node-a`; any hexadecimal letter will do. */
export const idOf = (letter: string): string => letter.repeat(40);
export const nameOf = (letter: string): string => `node-${letter}`;
export const addressOf = (letter: string): Address => ({
  ip: `10.0.0.${Number.parseInt(letter, 16)}`,
  port: 6379,
  busPort: 16_379,
});

export const policy: Policy = {
  nodes: 6,
  replicas: 1,
  nodeTimeoutMs: 5_000,
  peerWaitMs: 10_000,
  onLostSlots: "wait",
};

export const thirds: readonly SlotRange[] = [
  [0, 5460],
  [5461, 10_922],
  [10_923, 16_383],
];

/** One node of a cluster, in truth. */
export interface Truth {
  readonly letter: string;
  readonly slots?: readonly SlotRange[];
  readonly epoch?: number;
  /** The letter of its alpha. */
  readonly alpha?: string | undefined;
  /** Where it is not told by `alpha`: a beta of which nobody knows yet whose. */
  readonly role?: "master" | "slave";
  readonly flags?: readonly string[];
  readonly linkUp?: boolean;
  readonly address?: Address;
}

/** Alphas a, b, c with betas d, e, f. */
export const sixNodes: readonly Truth[] = [
  { letter: "a", slots: thirds.slice(0, 1), epoch: 1 },
  { letter: "b", slots: thirds.slice(1, 2), epoch: 2 },
  { letter: "c", slots: thirds.slice(2, 3), epoch: 3 },
  { letter: "d", alpha: "a" },
  { letter: "e", alpha: "b" },
  { letter: "f", alpha: "c" },
];

export function entry(truth: Truth, isMyself: boolean): NodeEntry {
  const role = truth.role ?? (truth.alpha === undefined ? "master" : "slave");
  return {
    id: idOf(truth.letter),
    address: truth.address ?? addressOf(truth.letter),
    hostname: "",
    flags: [...(isMyself ? ["myself"] : []), role, ...(truth.flags ?? [])],
    alphaId: truth.alpha === undefined ? undefined : idOf(truth.alpha),
    epoch: truth.epoch ?? 0,
    linkUp: truth.linkUp ?? true,
    heardAt: 0,
    slots: truth.slots ?? [],
    migrations: [],
  };
}

/** The table of the node `own`, which sees the others as `truths` say. */
export function table(own: string, truths: readonly Truth[]): NodeTable {
  const epochs = truths.map((truth) => truth.epoch ?? 0);
  return {
    nodes: truths.map((truth) => entry(truth, truth.letter === own)),
    currentEpoch: Math.max(0, ...epochs),
    lastVoteEpoch: 0,
  };
}

export function answered(
  letter: string,
  truths: readonly Truth[],
  more: Partial<Answer> = {},
): PeerView {
  const own = truths.find((truth) => truth.letter === letter);
  return {
    name: nameOf(letter),
    address: own?.address ?? addressOf(letter),
    seen: {
      state: "answered",
      id: idOf(letter),
      table: table(letter, truths),
      clusterOk: true,
      keys: 100,
      role: own?.alpha === undefined ? "alpha" : "beta",
      offset: 1_000,
      inSync: own?.alpha !== undefined,
      syncing: false,
      hasFollowed: own?.alpha !== undefined,
      uptimeSeconds: 1_000,
      nodeTimeoutMs: 5_000,
      ...more,
    },
  };
}

export const blank = (letter: string, more: Partial<Answer> = {}): PeerView =>
  answered(letter, [{ letter }], {
    clusterOk: false,
    keys: 0,
    offset: 0,
    uptimeSeconds: 0,
    ...more,
  });

export const silent = (letter: string, refused = true): PeerView => ({
  name: nameOf(letter),
  address: addressOf(letter),
  seen: { state: "silent", refused, why: refused ? "nothing listens there yet" : "no answer" },
});

export const self = (letter: string, more: Partial<Self> = {}): Self => ({
  name: nameOf(letter),
  address: addressOf(letter),
  table: undefined,
  data: "none",
  unreadSnapshot: false,
  ...more,
});

export function observation(
  own: Self | undefined,
  peers: readonly PeerView[],
  more: Partial<Omit<Observation, "policy">> & { policy?: Partial<Policy> } = {},
): Observation {
  return {
    self: own,
    peers,
    unchangedMs: more.unchangedMs ?? 0,
    foundedAt: more.foundedAt,
    snapshot: more.snapshot,
    policy: { ...policy, ...more.policy },
  };
}

/** The truths with some of them changed. */
export const changed = (
  truths: readonly Truth[],
  changes: Readonly<Record<string, Partial<Truth>>>,
): readonly Truth[] => truths.map((truth) => ({ ...truth, ...changes[truth.letter] }));
