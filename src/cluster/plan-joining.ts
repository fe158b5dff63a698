/**
 * Joining a founded cluster as a new beta: the replaced node, and one more than needed.
 *
 * The order matters: first the betas of lost alphas are promoted, then ghosts are forgotten, then this node picks its alpha;
 * an alpha that was just promoted is the orphan that needs it most.
 */
import { compareNames, sameAddress } from "../address.ts";
import { becomeTable } from "./build-table.ts";
import { chooseAlphas, countBetas, type Newcomer } from "./choose-alphas.ts";
import { bestBeta, canBeElected } from "./election.ts";
import { describeSlots, type SlotRange } from "./nodes.ts";
import { awaitGhosts, awaitHandOver, forgetGhosts, healSteps } from "./plan-healing.ts";
import { awaitAgreement, introduce } from "./plan-introductions.ts";
import { restoreLost } from "./restore-lost.ts";
import { hasPlace, type Shard, slotsWithoutOwner } from "./shards.ts";
import {
  canComeBack,
  hasLeftItsAddress,
  hasMajority,
  isGone,
  isGoneOrFailed,
  isIdle,
  nameOf,
  type Topology,
} from "./topology.ts";
import type { Act, Observation, PeerView, Plan, Self, Step } from "./types.ts";

export function planJoining(observation: Observation, topology: Topology, self: Self): Plan {
  return (
    awaitAlphas(observation, topology) ??
    awaitAgreement(observation, topology) ??
    adoptIdleNodes(observation, topology, self) ??
    replaceLostShard(observation, topology, self) ??
    awaitSilent(topology, self) ??
    awaitHandOver(observation, topology) ??
    forgetGhosts(observation, topology) ??
    awaitGhosts(observation, topology) ??
    joinAsBeta(observation, topology, self)
  );
}

/** Shards whose alpha does not answer: promote a beta where that is safe, else give them the time to come back. */
function awaitAlphas({ policy, unchangedMs }: Observation, topology: Topology): Plan | undefined {
  const headless = topology.shards.filter((shard) => shard.alpha === undefined);
  const promoting = promoteForGoneAlphas(topology);
  if (promoting) return promoting;
  // Without a majority nobody can be elected, and nothing better than waiting can be done.
  if (unchangedMs >= policy.peerWaitMs && hasMajority(topology)) return undefined;
  const pending = headless.find(
    (shard) => shard.betas.length > 0 || !isGoneOrFailed(topology, shard.alphaId),
  );
  if (pending === undefined) return undefined;
  return { kind: "wait", reason: describeHeadless(topology, pending) };
}

function describeHeadless(topology: Topology, { alphaId, betas }: Shard): string {
  const silent = `the alpha ${nameOf(topology, alphaId)} does not answer`;
  if (betas.length === 0) return `${silent} yet`;
  const names = betas.map((beta) => beta.name).join(" or ");
  // A takeover without votes is a person's to decide: only they know that the others are gone for good.
  return hasMajority(topology)
    ? `${silent}; its beta ${names} may be promoted`
    : `${silent}, and too few alphas do to vote for its beta ${names}`;
}

/** Alphas that are certainly not running, while a majority can vote: their best betas need not wait out the node timeout. */
export function promoteForGoneAlphas(topology: Topology): Act | undefined {
  if (!hasMajority(topology)) return undefined;
  const heirs = topology.shards.flatMap(({ alpha, alphaId, betas }) => {
    const best = alpha || !isGone(topology, alphaId) ? undefined : bestBeta(betas);
    return best && canBeElected(topology, best, alphaId) ? [best] : [];
  });
  if (heirs.length === 0) return undefined;
  return {
    kind: "act",
    reason: `promoting ${heirs.map(({ name }) => name).join(", ")}: the alpha is gone from its address`,
    steps: heirs.map((at) => ({ kind: "promote", at, how: "force" })),
    report: "Promoted",
  };
}

function adoptIdleNodes(
  { policy, unchangedMs }: Observation,
  topology: Topology,
  self: Self,
): Plan | undefined {
  return unchangedMs >= policy.peerWaitMs ? undefined : adoptAllIdle(topology, [self]);
}

/**
 * Nodes that a founding or a join left behind blank: everybody is introduced, and each that knows its alpha already becomes
 * its beta; newcomers get theirs in the same count.
 */
export function adoptAllIdle(topology: Topology, newcomers: readonly Newcomer[]): Act | undefined {
  const idle = topology.members.filter((member) => isIdle(topology, member));
  if (idle.length === 0) return undefined;
  const choices = chooseAlphas(topology, [...idle, ...newcomers]);
  const steps = idle.flatMap((at): Step[] => {
    const alphaId = choices.get(at.name);
    const knows = at.seen.table.nodes.some(
      (node) => node.id === alphaId && node.address !== undefined,
    );
    return alphaId !== undefined && knows ? [{ kind: "replicate", at, alphaId }] : [];
  });
  return {
    kind: "act",
    reason: `${idle.map((member) => member.name).join(", ")} has no slots and no alpha: made a beta`,
    steps: [...introduce(topology.members), ...steps],
  };
}

/** Rule 4: slots of an alpha that is lost with all its betas. */
function replaceLostShard(
  observation: Observation,
  topology: Topology,
  self: Self,
): Plan | undefined {
  const lost = topology.shards.filter(
    (shard) => shard.alpha === undefined && shard.betas.length === 0,
  );
  const unowned = slotsWithoutOwner(topology.shards);
  if (lost.length === 0 && unowned.length === 0) return undefined;
  const missing = describeSlots([...lost.flatMap((shard) => shard.slots), ...unowned]);
  const { policy, unchangedMs } = observation;
  const hasOrphans = topology.shards.some(
    (shard) => shard.alpha && countBetas(topology, shard) === 0,
  );
  if (hasOrphans && policy.replicas > 0) return undefined;
  const returning = lost
    .flatMap((shard) => [shard.alphaId, ...shard.absentBetas])
    .filter((id) => canComeBack(topology, id));
  if (policy.onLostSlots === "wait") {
    return {
      kind: "wait",
      reason: `slots ${missing} have lost their alpha and all its betas; waiting for one of them to come back`,
    };
  }
  const mayHoldThem = topology.unaddressed.filter(({ pod }) => pod?.mayHoldData);
  if (
    returning.length > 0 ||
    mayHoldThem.length > 0 ||
    (newcomers(topology).length > 0 && unchangedMs < policy.peerWaitMs)
  ) {
    return {
      kind: "wait",
      reason: `slots ${missing} have lost their alpha and all its betas; one of them may still come back`,
    };
  }
  const shards: readonly (readonly SlotRange[])[] = [
    ...lost.map((shard) => shard.slots),
    ...(unowned.length > 0 ? [unowned] : []),
  ];
  if (policy.onLostSlots === "restore") {
    const restoring = restoreLost(observation, topology, self, shards, newcomers(topology));
    if (restoring.kind !== "become") return restoring;
    return forgetGhosts(observation, topology) ?? restoring;
  }
  const slots = shards[rankAmongNewcomers(topology, self)];
  if (slots === undefined)
    return { kind: "wait", reason: `slots ${missing} wait for another new node to take them` };
  const forgetting = forgetGhosts(observation, topology);
  if (forgetting) return forgetting;
  return {
    kind: "become",
    reason: `serving slots ${describeSlots(slots)} empty: their alpha and all its betas are gone`,
    steps: healSteps(observation, topology, self),
    table: becomeTable(topology, self, { alphaOf: slots, epoch: topology.currentEpoch + 1 }),
    report: "DataLost",
  };
}

/**
 * A node has left its address while others are on their way: one of them may be that node. Whoever is last by name waits
 * to see, and forgets it if not; the others go ahead.
 */
function awaitSilent(topology: Topology, self: Self): Plan | undefined {
  const isLast = topology.coming.every((peer) => compareNames(peer.name, self.name) < 0);
  const left = [...topology.absent.keys()].find((id) => hasLeftItsAddress(topology, id));
  if (topology.isQuiet || !isLast || left === undefined) return undefined;
  const names = topology.coming.map((peer) => peer.name).join(", ");
  return {
    kind: "wait",
    reason: `${nameOf(topology, left)} has left its address; one of ${names} may be it`,
  };
}

function joinAsBeta(observation: Observation, topology: Topology, self: Self): Plan {
  const all = [...newcomers(topology), self].sort((a, b) => compareNames(a.name, b.name));
  const alphaId = chooseAlphas(topology, all).get(self.name);
  if (alphaId === undefined)
    return { kind: "wait", reason: "no alpha answers that this node could copy" };
  return {
    kind: "become",
    reason: `joining as a beta of ${nameOf(topology, alphaId)}`,
    steps: healSteps(observation, topology, self),
    table: becomeTable(topology, self, { betaOf: alphaId }),
    report: "Joined",
  };
}

/**
 * Other nodes on their way in: silent peers that have no place yet at their addresses in any member's table, and pods that are
 * just being started. One that members have just met, and not heard of whose beta it is, takes its place in the count as before.
 */
function newcomers({ absent, coming }: Topology): readonly PeerView[] {
  const known = [...absent.values()]
    .flat()
    .filter(hasPlace)
    .flatMap(({ address }) => address ?? []);
  const isKnown = ({ address }: PeerView) =>
    address !== undefined && known.some((one) => sameAddress(one, address));
  return coming.filter((peer) => peer.pod?.isTroubled !== true && !isKnown(peer));
}

function rankAmongNewcomers(topology: Topology, self: Self): number {
  return newcomers(topology).filter((peer) => compareNames(peer.name, self.name) < 0).length;
}
