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
import { matchBetas } from "./match-betas.ts";
import { countSlots, myselfOf } from "./nodes.ts";
import { countGaps, introduce, isCrowd } from "./plan-introductions.ts";
import { awaitRestored, becomeRestored, planRestoring } from "./plan-restoring.ts";
import { assignSeats, type Seat } from "./seats.ts";
import { isLeaving, knowsAt, readTopology, type Topology } from "./topology.ts";
import type { Member, Observation, Plan, Self, Step } from "./types.ts";

export function planFounding(given: Observation, all: Topology): Plan {
  // Who is leaving gets no seat.
  const isAnyLeaving = given.peers.some(isLeaving);
  const observation = isAnyLeaving
    ? { ...given, peers: given.peers.filter((peer) => !isLeaving(peer)) }
    : given;
  const topology = isAnyLeaving ? readTopology(observation) : all;
  return awaitAddresses(observation, topology) ?? foundAmong(observation, topology);
}

function awaitAddresses(observation: Observation, topology: Topology): Plan | undefined {
  const { policy, foundedAt } = observation;
  const addressed = countAddressed(observation, topology);
  // Where there was a cluster before, one that is yet to come may hold its data.
  const holders = topology.unaddressed.filter(({ pod }) => pod?.mayHoldData);
  const needed =
    foundedAt === undefined ? policy.nodes : Math.max(policy.nodes, addressed + holders.length);
  if (addressed >= needed) return undefined;
  const why = topology.unaddressed.map(({ name, seen }) =>
    seen.state === "silent" && seen.why !== "" ? `; ${name}: ${seen.why}` : "",
  );
  return {
    kind: "wait",
    reason: `${addressed} of ${needed} peers have an address${why.join("")}${adviseOnCount(observation)}`,
  };
}

/** Fewer than it takes are there at all, and it stays that way: somebody has to start more. */
function adviseOnCount({ policy, self, peers, unchangedMs }: Observation): string {
  const all = peers.length + (self ? 1 : 0);
  if (all >= policy.nodes || unchangedMs < policy.peerWaitMs) return "";
  return self?.pod
    ? `; there are ${all} pods in all: set replicas to ${policy.nodes} (or see why Kubernetes makes no more), or lower REKINDLE_NODES`
    : `; ${all} are named in all: start ${policy.nodes - all} more, or lower --nodes`;
}

const countAddressed = ({ peers, self }: Observation, { unaddressed }: Topology): number =>
  peers.length + (self ? 1 : 0) - unaddressed.length;

function foundAmong(observation: Observation, topology: Topology): Plan {
  const { policy, self, unchangedMs } = observation;
  const own = self ? 1 : 0;
  const addressed = countAddressed(observation, topology);
  if (topology.foreign.length > 0)
    return awaitTheirFellows(observation, topology) ?? refuseStrangersWithState(topology);
  const restoring = planRestoring(observation, topology);
  if (restoring) return restoring;
  if (self && !isCoordinator(self.name, topology))
    return becomeRestored(observation, topology) ?? becomeBlank(observation, topology);
  const answering = topology.members.length + own;
  const missing = topology.silent.map((peer) => peer.name).join(", ");
  if (answering < policy.nodes || (missing !== "" && unchangedMs < policy.peerWaitMs)) {
    return {
      kind: "wait",
      reason: `${answering} of ${Math.max(policy.nodes, addressed)} nodes answer; not yet: ${missing}`,
    };
  }
  return awaitRestored(observation, topology) ?? coordinate(observation, topology);
}

function isCoordinator(name: string, topology: Topology): boolean {
  return topology.silent.every((peer) => compareNames(peer.name, name) < 0);
}

function becomeBlank({ self, policy, unchangedMs, peers }: Observation, topology: Topology): Plan {
  const cutOff = peers.every(
    ({ seen }) => seen.state === "silent" && !seen.refused && seen.entrypoint === undefined,
  );
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
      report: "Returned",
    };
  }
  return {
    kind: "become",
    reason: `no cluster is founded yet; ${last} will found it`,
    steps: [],
    table: undefined,
    report: "StartedBlank",
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

/** Restored nodes that know each other, and not all of them answer yet, look like strangers. */
function awaitTheirFellows(
  { policy, unchangedMs, snapshot }: Observation,
  { foreign, silent }: Topology,
): Plan | undefined {
  if (snapshot === undefined || silent.length === 0 || unchangedMs >= policy.peerWaitMs)
    return undefined;
  const [who, whom] = [foreign, silent].map((peers) => peers.map(({ name }) => name).join(", "));
  return { kind: "wait", reason: `whether ${who} belong here is for ${whom} to tell` };
}

function coordinate(observation: Observation, topology: Topology): Plan {
  const seats = assignSeats(observation, topology);
  const alphas = seats.flatMap((seat) => (seat.alpha ? [seat.alpha] : []));
  const betas = topology.members.filter((member) => !alphas.includes(member));
  const setUp = [...seats.flatMap(seatAlpha), ...claimBetas(betas, seats.length)];
  if (setUp.length > 0) return claimAndSeat(observation, setUp);
  const own = observation.self && seats.every((seat) => seat.alpha) ? [observation.self] : [];
  const choices = chooseBetas(betas, alphas, own);
  const assigned = assignBetas(betas, alphas, choices);
  // Each change of role is news that everybody has to hear: in a crowd, roles come first.
  const isEarly = assigned.length > 0 && isCrowd(topology.members);
  const steps = isEarly ? assigned : [...introduce(topology.members), ...assigned];
  const unsettled = disagreement(topology.members, betas);
  if (unsettled !== undefined)
    return { kind: "act", isExclusive: true, reason: `founding: ${unsettled}`, steps };
  // Only now: a short timeout while nodes are busy with each other would have them call each other failed.
  // Where this node has slots itself, no other can be ok before it is there.
  const isAwaited = seats.some(({ alpha }) => alpha === undefined);
  const hasten = isAwaited ? [] : hastenAlphas(observation.policy, alphas);
  const hastened = alphas.filter((alpha) => isHastened(observation.policy, alpha));
  const late = isAwaited ? [] : observation.self ? hastened : topology.members;
  const waiting = late.filter(
    (node) => !node.seen.clusterOk || (!alphas.includes(node) && !node.seen.inSync),
  );
  if (hasten.length > 0 || waiting.length > 0) {
    return {
      kind: "act",
      isExclusive: true,
      reason: "founding: helping the alphas to cluster_state:ok",
      steps: [...steps, ...hasten],
    };
  }
  const restore = restoreNodeTimeouts(observation.policy, topology.members);
  return finish(observation, topology, seats, restore, choices);
}

function claimAndSeat({ foundedAt, snapshot }: Observation, steps: readonly Step[]): Plan {
  if (foundedAt === undefined || snapshot === "found") {
    const reason = "founding: claim the alphas and give them their slots";
    return { kind: "act", isExclusive: true, reason, steps };
  }
  return {
    kind: "act",
    isExclusive: true,
    reason: `founding anew: the cluster that was founded at ${foundedAt} is gone with all its data`,
    steps,
    report: "DataLost",
  };
}

function finish(
  observation: Observation,
  topology: Topology,
  seats: readonly Seat[],
  steps: readonly Step[],
  choices: ReadonlyMap<string, string>,
): Plan {
  const { self } = observation;
  const shards = `${seats.length} alphas, ${topology.members.length + (self ? 1 : 0) - seats.length} betas`;
  if (self === undefined) {
    return steps.length > 0
      ? { kind: "act", isExclusive: true, reason: "founding: set the node timeout back", steps }
      : { kind: "done", reason: `the cluster is founded: ${shards}` };
  }
  const ownSeat = seats.find((seat) => seat.alpha === undefined);
  const meetMe = topology.members.map(
    (at): Step => ({ kind: "meet", at, whom: { address: self.address } }),
  );
  const table = ownSeat
    ? becomeTable(topology, self, { alphaOf: [ownSeat.slots], epoch: ownSeat.epoch })
    : becomeTable(topology, self, { betaOf: choices.get(self.name) ?? "" });
  return {
    kind: "become",
    reason: `the cluster is founded: ${shards}`,
    steps: [...steps, ...meetMe],
    table,
    report: "Joined",
    isRestored: ownSeat !== undefined && self.restored !== undefined,
  };
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

/** Who copies whom, for the betas that are nobody's yet and for this node itself. */
function chooseBetas(
  betas: readonly Member[],
  alphas: readonly Member[],
  own: readonly Self[],
): ReadonlyMap<string, string> {
  const seatable = ({ name, pod }: Member | Self) => ({ key: name, machine: pod?.kubernetesNode });
  const free = [...betas.filter((beta) => beta.seen.role === "alpha"), ...own];
  return matchBetas(
    free.map(seatable),
    alphas.map(({ seen, pod }) => ({
      key: seen.id,
      machine: pod?.kubernetesNode,
      count: betas.filter((beta) => myselfOf(beta.seen.table)?.alphaId === seen.id).length,
    })),
  );
}

/** The two are introduced first. */
function assignBetas(
  betas: readonly Member[],
  alphas: readonly Member[],
  choices: ReadonlyMap<string, string>,
): readonly Step[] {
  return betas.flatMap((beta): Step[] => {
    const alpha = alphas.find(({ seen }) => seen.id === choices.get(beta.name));
    if (alpha === undefined) return [];
    return knowsAt(beta, alpha)
      ? [{ kind: "replicate", at: beta, alphaId: alpha.seen.id }]
      : [{ kind: "meet", at: beta, whom: alpha }];
  });
}

/** What is left to do, in words; undefined when all tables agree. */
function disagreement(members: readonly Member[], betas: readonly Member[]): string | undefined {
  const unassigned = betas.filter((beta) => beta.seen.role !== "beta").length;
  if (unassigned > 0) return `${unassigned} betas have no alpha yet`;
  return countGaps(members) > 0 ? "the nodes have yet to hear of each other" : undefined;
}
