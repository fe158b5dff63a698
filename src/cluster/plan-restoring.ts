/**
 * Founding anew from a snapshot: which node restores which slots, before any of them is a server. Pure.
 *
 * Nobody restores while another node may hold the data: all others must have said that their folders are empty, as Rekindle that
 * waits beside them or as blank servers. All find the same order of seats, whoever has one already first, so that it does not
 * matter who restores how fast, or is started again in the middle.
 */
import { compareNames } from "../address.ts";
import { becomeTable } from "./build-table.ts";
import { describeSlots, myselfOf, type SlotRange } from "./nodes.ts";
import { foundingRanges } from "./seats.ts";
import type { Topology } from "./topology.ts";
import type { Member, Observation, PeerView, Plan, Self } from "./types.ts";

/** For a founding. Undefined: nothing is left to restore, or nothing is to be. */
export function planRestoring(observation: Observation, topology: Topology): Plan | undefined {
  const { self, snapshot } = observation;
  if (snapshot === undefined || snapshot === "none" || self === undefined) return undefined;
  if (snapshot === "unknown")
    return { kind: "find-snapshot", reason: "no cluster is founded yet: is there a snapshot?" };
  const conflict = findConflict(observation, topology);
  if (conflict) return conflict;
  if (self.table) return undefined;
  const unsure = awaitKnown(observation, topology);
  if (unsure) return unsure;
  const seat = seatFor(self, observation, topology);
  if (seat === undefined || isSame(self.restored, seat)) return undefined;
  return {
    kind: "restore",
    reason: `restoring slots ${describeSlots([seat])} before the cluster is founded`,
    slots: [seat],
  };
}

/** The seat that this node has restored, and nobody else has. */
function restoredSeat(observation: Observation, topology: Topology) {
  const { self } = observation;
  const seat = self && self.table === undefined && seatFor(self, observation, topology);
  if (!seat || !isSame(self.restored, seat)) return undefined;
  const epoch = rangesOf(observation).findIndex(([first]) => first === seat[0]) + 1;
  return { slots: seat, epoch };
}

export function becomeRestored(observation: Observation, topology: Topology): Plan | undefined {
  const { self } = observation;
  const seat = restoredSeat(observation, topology);
  if (self === undefined || seat === undefined) return undefined;
  return {
    kind: "become",
    reason: `slots ${describeSlots([seat.slots])} are restored; the cluster is yet to be founded`,
    steps: [],
    table: becomeTable(topology, self, { alphaOf: [seat.slots], epoch: seat.epoch }),
    report: "Restored",
    isRestored: true,
  };
}

/** Rule 4: a seat that is restored by nobody is given to nobody, and not to two. */
export function awaitRestored(observation: Observation, topology: Topology): Plan | undefined {
  if (observation.snapshot !== "found") return undefined;
  const own = observation.self?.table && myselfOf(observation.self.table)?.slots[0];
  const missing = rangesOf(observation).filter(
    (range) =>
      holdersOf(range, topology).length === 0 &&
      !(own && own[0] === range[0]) &&
      !isSame(observation.self?.restored, range),
  );
  if (missing.length === 0) return undefined;
  return {
    kind: "wait",
    reason: `slots ${describeSlots(missing)} are restored by nobody; start one of the nodes that are blank servers again`,
  };
}

function findConflict(observation: Observation, topology: Topology): Plan | undefined {
  for (const range of rangesOf(observation)) {
    const holders = holdersOf(range, topology);
    if (holders.length < 2) continue;
    const names = holders.map(({ name }) => name).join(" and ");
    return {
      kind: "wait",
      reason: `${names} have both restored slots ${describeSlots([range])}; start one of them again with an empty folder`,
    };
  }
  return undefined;
}

/** Whoever has not said what it has may have the data. Given up as any silent node is, if there are enough without it. */
function awaitKnown(
  { policy, unchangedMs, peers }: Observation,
  topology: Topology,
): Plan | undefined {
  const unknown = topology.silent.filter(({ seen }) => !isWaitingBlank(seen));
  const known = peers.length - topology.unaddressed.length - unknown.length + 1;
  if (unknown.length === 0) return undefined;
  if (known >= policy.nodes && unchangedMs >= policy.peerWaitMs) return undefined;
  const names = unknown.map(({ name }) => name).join(", ");
  return { kind: "wait", reason: `whether they have the data is not known of ${names}` };
}

const isWaitingBlank = (seen: PeerView["seen"]): boolean =>
  seen.state === "silent" && seen.entrypoint?.isBlank === true;

const rangesOf = ({ policy }: Observation): readonly SlotRange[] =>
  foundingRanges(policy.nodes / (policy.replicas + 1));

const holdersOf = (range: SlotRange, { members }: Topology): readonly Member[] =>
  members.filter(({ seen }) => myselfOf(seen.table)?.slots.some(([first]) => first === range[0]));

const isSame = (restored: readonly SlotRange[] | undefined, [first, last]: SlotRange): boolean =>
  restored?.length === 1 && restored[0]?.[0] === first && restored[0][1] === last;

/** Those that have one keep it; the others follow in their order. */
function seatFor(self: Self, observation: Observation, topology: Topology): SlotRange | undefined {
  const waiting = topology.silent.filter(({ seen }) => isWaitingBlank(seen));
  const claims = (one: PeerView | Self): readonly SlotRange[] | undefined =>
    "seen" in one
      ? one.seen.state === "silent"
        ? one.seen.entrypoint?.restores
        : undefined
      : one.restored;
  const able = inOrder([...waiting, self]);
  const free = rangesOf(observation).filter((range) => holdersOf(range, topology).length === 0);
  const seats = new Map<string, SlotRange>();
  for (const one of able) {
    const claimed = free.find(
      (range) => isSame(claims(one), range) && ![...seats.values()].includes(range),
    );
    if (claimed) seats.set(one.name, claimed);
  }
  const left = free.filter((range) => ![...seats.values()].includes(range));
  for (const one of able.filter(({ name }) => !seats.has(name))) {
    const seat = left.shift();
    if (seat) seats.set(one.name, seat);
  }
  return seats.get(self.name);
}

/** By name; in turns over the machines, where they are known: losing one machine must not lose the majority. */
function inOrder<T extends Pick<PeerView, "name" | "pod">>(all: readonly T[]): readonly T[] {
  const sorted = all.toSorted((a, b) => compareNames(a.name, b.name));
  const turns = new Map<string | undefined, number>();
  return sorted
    .map((one) => {
      const machine = one.pod?.kubernetesNode;
      const turn = machine === undefined ? 0 : (turns.get(machine) ?? 0);
      turns.set(machine, turn + 1);
      return { one, turn };
    })
    .sort((a, b) => a.turn - b.turn)
    .map(({ one }) => one);
}
