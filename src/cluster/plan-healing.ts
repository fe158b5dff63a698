/**
 * What any node that starts mends on its way in: ghosts are forgotten, then members that do not see each other are introduced,
 * a node timeout that a killed coordinator left short is set back, and everybody is told of this node.
 */
import { restoreNodeTimeouts } from "./hasten.ts";
import { myselfOf } from "./nodes.ts";
import { introduce } from "./plan-introductions.ts";
import {
  canComeBack,
  entryOf,
  isGoneOrFailed,
  knowsAt,
  nameOf,
  type Topology,
} from "./topology.ts";
import type { Observation, Plan, Self, Step } from "./types.ts";

export function healSteps(
  observation: Observation,
  topology: Topology,
  self: Self,
): readonly Step[] {
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  return [
    ...introduce(known),
    ...restoreNodeTimeouts(observation.policy, known),
    ...introduceSelf(topology, self),
  ];
}

/**
 * Rules 1 and 2: a node is forgotten only when it is failed, cannot come back, owns no slots, and no beta names it any more.
 * All members are told in one go: Redis bans a forgotten id for 60 seconds, and a member that was not told would bring it back.
 * Nor does this node start before all have forgotten it: its own list of bans is empty, and whoever still knew it would tell us.
 */
export function forgetGhosts(
  { policy, unchangedMs }: Observation,
  topology: Topology,
): Plan | undefined {
  const ghosts = [...topology.absent.keys()].filter((id) => isGhost(topology, id));
  const steps = ghosts.flatMap((id) =>
    topology.members
      .filter((member) => entryOf(member, id))
      .map((at): Step => ({ kind: "forget", at, id })),
  );
  if (steps.length === 0 || unchangedMs >= policy.peerWaitMs) return undefined;
  const names = ghosts.map((id) => nameOf(topology, id)).join(", ");
  return { kind: "act", reason: `forgetting ${names}: failed, without slots and betas`, steps };
}

function isGhost(topology: Topology, id: string): boolean {
  const ownsSlots = topology.shards.some((shard) => shard.alphaId === id);
  const isNamed = topology.members.some((member) => myselfOf(member.seen.table)?.alphaId === id);
  return !ownsSlots && !isNamed && isGoneOrFailed(topology, id) && !canComeBack(topology, id);
}

/** Members that do not know this node, or know it elsewhere. They knock until its bus port opens, for a node timeout. */
function introduceSelf(topology: Topology, self: Self): readonly Step[] {
  const id = self.table && myselfOf(self.table)?.id;
  const others = topology.members.filter(
    (member) => id === undefined || !knowsAt(member, { address: self.address, seen: { id } }),
  );
  return others.map((at) => ({ kind: "meet", at, whom: { address: self.address } }));
}
