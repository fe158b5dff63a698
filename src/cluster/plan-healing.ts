/**
 * What any node that starts mends on its way in: ghosts are forgotten, then members that do not see each other are
 * introduced, a node timeout that a killed coordinator left short is set back, and everybody is told of this node.
 */
import { restoreNodeTimeouts } from "./hasten.ts";
import { myselfOf } from "./nodes.ts";
import { introduce } from "./plan-introductions.ts";
import {
  canComeBack,
  entryOf,
  isGoneOrFailed,
  isLeaving,
  knowsAt,
  nameOf,
  type Topology,
} from "./topology.ts";
import type { Act, Observation, Plan, Self, Step } from "./types.ts";

export function healSteps(
  observation: Observation,
  topology: Topology,
  self: Self,
): readonly Step[] {
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  return [
    ...introduce(known),
    ...restoreNodeTimeouts(observation.policy, known),
    ...leadBack(topology),
    ...introduceSelf(topology, self),
  ];
}

/**
 * A beta starts without its alpha's address where that alpha does not answer (rule 10). Where it hears of it by gossip first, when it
 * has called it failing already, the server writes the address down and goes on copying nobody (`clusterProcessGossipSection`, as
 * opposed to `nodeUpdateAddressIfNeeded`): it is told whose beta it is once more.
 */
export function leadBack(topology: Topology): readonly Step[] {
  return topology.members.flatMap((at): readonly Step[] => {
    const alphaId = at.seen.followsNobody ? myselfOf(at.seen.table)?.alphaId : undefined;
    const alpha = topology.members.find(({ seen }) => seen.id === alphaId);
    if (alphaId === undefined || alpha === undefined || !knowsAt(at, alpha)) return [];
    return [{ kind: "replicate", at, alphaId }];
  });
}

/**
 * Rules 1 and 2: a node is forgotten only when it is failed, cannot come back, owns no slots, and no beta names it any more.
 * All members are told in one go: Redis bans a forgotten id for 60 seconds, and a member that was not told would bring it
 * back. Nor does this node start before all have forgotten it: its own list of bans is empty, and whoever still knew it
 * would tell us.
 */
export function forgetGhosts(
  { policy, unchangedMs }: Observation,
  topology: Topology,
): Plan | undefined {
  return unchangedMs >= policy.peerWaitMs ? undefined : forgetAllGhosts(topology);
}

/** The same, however long it takes. */
export function forgetAllGhosts(topology: Topology): Act | undefined {
  const ghosts = [...topology.absent.keys()].filter((id) => isGhost(topology, id));
  const steps = ghosts.flatMap((id) =>
    topology.members
      .filter((member) => entryOf(member, id))
      .map((at): Step => ({ kind: "forget", at, id })),
  );
  if (steps.length === 0) return undefined;
  const names = ghosts.map((id) => nameOf(topology, id)).join(", ");
  return {
    kind: "act",
    reason: `forgetting ${names}: failed, without slots and betas`,
    steps,
    report: "Forgot",
  };
}

/**
 * Nobody's any more, and yet a peer has a link to it, or tries to get one: CLUSTER NODES shows both as connected. Whoever
 * joined now would leave a ghost that nobody forgets; within a node timeout the alphas call it failed, or all its links are
 * down.
 */
export function awaitGhosts(
  { policy, unchangedMs }: Observation,
  topology: Topology,
): Plan | undefined {
  if (!topology.isQuiet || unchangedMs >= Math.max(policy.peerWaitMs, 2 * policy.nodeTimeoutMs))
    return undefined;
  const id = [...topology.absent.keys()].find(
    (one) => isNobodys(topology, one) && !isGoneOrFailed(topology, one),
  );
  if (id === undefined) return undefined;
  const reason = `${nameOf(topology, id)} is no peer any more, but a peer may still have a link to it`;
  return { kind: "wait", reason };
}

/**
 * An alpha is about to hand its slots over and to be forgotten. Who wrote it down now would have to be told to forget it again;
 * a moment later there is nothing to write down.
 */
export function awaitHandOver(
  { policy, unchangedMs }: Observation,
  topology: Topology,
): Plan | undefined {
  if (unchangedMs >= policy.peerWaitMs) return undefined;
  for (const { alpha, betas } of topology.shards) {
    const heir = betas.find((beta) => beta.seen.inSync && !isLeaving(beta));
    if (alpha && heir && isLeaving(alpha))
      return { kind: "wait", reason: `${alpha.name} is leaving, and hands its slots over` };
  }
  return undefined;
}

const isGhost = (topology: Topology, id: string): boolean =>
  isNobodys(topology, id) && isGoneOrFailed(topology, id);

/** It owns no slots, no beta copies it, and it is not where it was known. */
function isNobodys(topology: Topology, id: string): boolean {
  const ownsSlots = topology.shards.some((shard) => shard.alphaId === id);
  const isNamed = topology.members.some((member) => myselfOf(member.seen.table)?.alphaId === id);
  return !ownsSlots && !isNamed && !canComeBack(topology, id);
}

/** Members that do not know this node, or know it elsewhere. They knock until its bus port opens, for a node timeout. */
function introduceSelf(topology: Topology, self: Self): readonly Step[] {
  const id = self.table && myselfOf(self.table)?.id;
  const others = topology.members.filter(
    (member) => id === undefined || !knowsAt(member, { address: self.address, seen: { id } }),
  );
  return others.map((at) => ({ kind: "meet", at, whom: { address: self.address } }));
}
