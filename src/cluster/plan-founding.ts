/**
 * Founding a cluster from blank nodes, and carrying on a founding that was cut off.
 *
 * All but one become blank servers at once. The last by name of those that do not answer yet is the coordinator: it stays,
 * waits for the others, and sets them up. Whoever finds a founding half done carries on from what is there, so that it
 * does not matter which coordinator was killed after which command.
 */
import { compareNames } from "../address.ts";
import { becomeTable } from "./build-table.ts";
import { hastenAlphas, isHastened, restoreNodeTimeouts } from "./hasten.ts";
import { countSlots, myselfOf, type SlotRange, slotCount } from "./nodes.ts";
import { countGaps, introduce, isCrowd } from "./plan-introductions.ts";
import { knowsAt, type Topology } from "./topology.ts";
import type { Member, Observation, Plan, Step } from "./types.ts";

export function planFounding(observation: Observation, topology: Topology): Plan {
  const { policy, self, peers, unchangedMs } = observation;
  const own = self ? 1 : 0;
  const addressed = peers.filter((peer) => peer.address !== undefined).length + own;
  if (addressed < policy.nodes) {
    return { kind: "wait", reason: `${addressed} of ${policy.nodes} peers have an address` };
  }
  if (topology.foreign.length > 0) return refuseStrangersWithState(topology);
  if (self && !isCoordinator(self.name, topology)) return becomeBlank(observation, topology);
  const answering = topology.members.length + own;
  const missing = topology.silent.map((peer) => peer.name).join(", ");
  if (answering < policy.nodes || (missing !== "" && unchangedMs < policy.peerWaitMs)) {
    return {
      kind: "wait",
      reason: `${answering} of ${Math.max(policy.nodes, addressed)} nodes answer; not yet: ${missing}`,
    };
  }
  return coordinate(observation, topology);
}

function isCoordinator(name: string, topology: Topology): boolean {
  return topology.silent.every((peer) => compareNames(peer.name, name) < 0);
}

function becomeBlank({ self, policy, unchangedMs, peers }: Observation, topology: Topology): Plan {
  const cutOff = peers.every((peer) => peer.seen.state === "silent" && !peer.seen.refused);
  if (cutOff && unchangedMs < policy.peerWaitMs) {
    return { kind: "wait", reason: "no peer can be reached: this node may be cut off from them" };
  }
  const last = topology.silent.at(-1)?.name ?? "";
  if (self?.table) {
    return {
      kind: "become",
      reason: `the cluster is not founded yet; ${last} carries on with it`,
      steps: [],
      table: becomeTable(topology, self, { keepRole: true }),
    };
  }
  return {
    kind: "become",
    reason: `no cluster is founded yet; ${last} will found it`,
    steps: [],
    table: undefined,
  };
}

/** Rule 4: no slots for a node that holds keys nobody asked us to take, nor for strangers' nodes. */
function refuseStrangersWithState(topology: Topology): Plan {
  const who = topology.foreign.map(
    (peer) => `${peer.name} (${peer.seen.keys} keys, knows ${peer.seen.table.nodes.length} nodes)`,
  );
  return {
    kind: "refuse",
    exit: "refused",
    reason: `no cluster can be founded: not blank are ${who.join(", ")}`,
    hint: "empty these nodes, or let discovery name the other nodes of their cluster too",
  };
}

interface Seat {
  readonly slots: SlotRange;
  readonly epoch: number;
  /** Undefined: this node itself takes it when it starts. */
  readonly alpha: Member | undefined;
}

function coordinate(observation: Observation, topology: Topology): Plan {
  const seats = assignSeats(observation, topology);
  const alphas = seats.flatMap((seat) => (seat.alpha ? [seat.alpha] : []));
  const betas = topology.members.filter((member) => !alphas.includes(member));
  const setUp = [...seats.flatMap(seatAlpha), ...claimBetas(betas, seats.length)];
  if (setUp.length > 0)
    return {
      kind: "act",
      reason: "founding: claim the alphas and give them their slots",
      steps: setUp,
    };
  const assigned = assignBetas(betas, alphas);
  // Each change of role is news that everybody has to hear: in a crowd, roles come first.
  const isEarly = assigned.length > 0 && isCrowd(topology.members);
  const steps = isEarly ? assigned : [...introduce(topology.members), ...assigned];
  const unsettled = disagreement(topology.members, betas);
  if (unsettled !== undefined) return { kind: "act", reason: `founding: ${unsettled}`, steps };
  // Only now: a short timeout while nodes are busy with each other would have them call each other failed.
  const hasten = hastenAlphas(observation.policy, alphas);
  const late = observation.self
    ? alphas.filter((alpha) => isHastened(observation.policy, alpha))
    : topology.members;
  const waiting = late.filter(
    (node) => !node.seen.clusterOk || (!alphas.includes(node) && !node.seen.inSync),
  );
  if (hasten.length > 0 || waiting.length > 0) {
    return {
      kind: "act",
      reason: "founding: helping the alphas to cluster_state:ok",
      steps: [...steps, ...hasten],
    };
  }
  const restore = restoreNodeTimeouts(observation.policy, topology.members);
  return finish(observation, topology, seats, restore);
}

function finish(
  observation: Observation,
  topology: Topology,
  seats: readonly Seat[],
  steps: readonly Step[],
): Plan {
  const { self } = observation;
  const shards = `${seats.length} alphas, ${topology.members.length + (self ? 1 : 0) - seats.length} betas`;
  if (self === undefined) {
    return steps.length > 0
      ? { kind: "act", reason: "founding: set the node timeout back", steps }
      : { kind: "done", reason: `the cluster is founded: ${shards}` };
  }
  const ownSeat = seats.find((seat) => seat.alpha === undefined);
  const meetMe = topology.members.map(
    (at): Step => ({ kind: "meet", at, whom: { address: self.address } }),
  );
  const table = ownSeat
    ? becomeTable(topology, self, { alphaOf: [ownSeat.slots], epoch: ownSeat.epoch })
    : becomeTable(topology, self, { betaOf: neediest(seats, topology.members) });
  return {
    kind: "become",
    reason: `the cluster is founded: ${shards}`,
    steps: [...steps, ...meetMe],
    table,
  };
}

/** Who gets which slots: what is there already first, then by the order of names. */
function assignSeats({ policy, self }: Observation, topology: Topology): readonly Seat[] {
  const alphaCount = policy.nodes / (policy.replicas + 1);
  const ranges = foundingRanges(alphaCount);
  const ownSlots = self?.table && myselfOf(self.table)?.slots[0];
  const taken = new Set<Member>();
  const take = (member: Member | undefined): Member | undefined => {
    if (member) taken.add(member);
    return member;
  };
  const owners = ranges.map((range) =>
    take(
      topology.members.find((member) =>
        myselfOf(member.seen.table)?.slots.some(([first]) => first === range[0]),
      ),
    ),
  );
  const claimants = ranges.map(
    (_, index) =>
      owners[index] ??
      take(
        topology.members.find(
          (member) =>
            !taken.has(member) &&
            isFree(member) &&
            myselfOf(member.seen.table)?.epoch === index + 1,
        ),
      ),
  );
  return ranges.map((slots, index) => {
    const mine = ownSlots !== undefined && ownSlots[0] === slots[0];
    const free = topology.members.filter((member) => !taken.has(member) && isFree(member));
    // An unclaimed node first: one with an epoch was meant for something else by a coordinator before us.
    const fresh = free.find((member) => myselfOf(member.seen.table)?.epoch === 0) ?? free[0];
    const alpha = mine ? undefined : (claimants[index] ?? take(fresh));
    return { slots, epoch: index + 1, alpha };
  });
}

const isFree = (member: Member): boolean =>
  member.seen.role === "alpha" && countSlots(myselfOf(member.seen.table)?.slots ?? []) === 0;

/** The slots in equal parts, as `redis-cli --cluster create` cuts them. */
export function foundingRanges(alphaCount: number): readonly SlotRange[] {
  const size = slotCount / alphaCount;
  return Array.from({ length: alphaCount }, (_, index) => [
    Math.round(index * size),
    index === alphaCount - 1 ? slotCount - 1 : Math.round((index + 1) * size) - 1,
  ]);
}

/**
 * Rule 5: the claim is a compare-and-set, it fails on a node that has an epoch or knows a cluster. Slots follow only after
 * another look has shown that the claim is ours.
 */
function seatAlpha({ alpha, epoch, slots }: Seat): readonly Step[] {
  const entry = alpha && myselfOf(alpha.seen.table);
  if (!alpha || !entry || countSlots(entry.slots) > 0) return [];
  const isUnclaimed = entry.epoch === 0 && alpha.seen.table.nodes.length === 1;
  return [
    isUnclaimed
      ? { kind: "claim", at: alpha, epoch }
      : { kind: "add-slots", at: alpha, slots: [slots] },
  ];
}

/** Distinct epochs for the betas too: nodes that meet with equal epochs would first have to settle that. */
function claimBetas(betas: readonly Member[], alphaCount: number): readonly Step[] {
  return betas.flatMap((at, index): Step[] =>
    at.seen.role === "alpha" &&
    at.seen.table.nodes.length === 1 &&
    myselfOf(at.seen.table)?.epoch === 0
      ? [{ kind: "claim", at, epoch: alphaCount + 1 + index }]
      : [],
  );
}

/** Betas that are nobody's yet, each for the alpha with the fewest; the two are introduced first. */
function assignBetas(betas: readonly Member[], alphas: readonly Member[]): readonly Step[] {
  const counts = new Map(
    alphas.map((alpha) => [
      alpha,
      betas.filter((beta) => alphaIdOf(beta) === alpha.seen.id).length,
    ]),
  );
  const steps: Step[] = [];
  for (const beta of betas) {
    if (beta.seen.role === "beta") continue;
    const alpha = fewest(counts);
    if (alpha === undefined) break;
    counts.set(alpha, (counts.get(alpha) ?? 0) + 1);
    steps.push(
      knowsAt(beta, alpha)
        ? { kind: "replicate", at: beta, alphaId: alpha.seen.id }
        : { kind: "meet", at: beta, whom: alpha },
    );
  }
  return steps;
}

const alphaIdOf = (member: Member): string | undefined => myselfOf(member.seen.table)?.alphaId;

function fewest<T>(counts: ReadonlyMap<T, number>): T | undefined {
  const least = Math.min(...counts.values());
  return [...counts].find(([, count]) => count === least)?.[0];
}

function neediest(seats: readonly Seat[], members: readonly Member[]): string {
  const alphas = seats.flatMap((seat) => (seat.alpha ? [seat.alpha] : []));
  const counts = new Map(
    alphas.map((alpha) => [
      alpha.seen.id,
      members.filter((one) => alphaIdOf(one) === alpha.seen.id).length,
    ]),
  );
  return fewest(counts) ?? "";
}

/** What is left to do, in words; undefined when all tables agree. */
function disagreement(members: readonly Member[], betas: readonly Member[]): string | undefined {
  const unassigned = betas.filter((beta) => beta.seen.role !== "beta").length;
  if (unassigned > 0) return `${unassigned} betas have no alpha yet`;
  return countGaps(members) > 0 ? "the nodes have yet to hear of each other" : undefined;
}
