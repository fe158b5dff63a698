/**
 * What has to be done so that a new node serves slots whose alpha and all its betas are gone for good. Pure.
 */
import { becomeTable } from "./build-table.ts";
import { isSameSlots, type NodeTable, type SlotRange } from "./nodes.ts";
import { healSteps } from "./plan-healing.ts";
import { entryOf, type Topology } from "./topology.ts";
import type { Observation, Self, Step } from "./types.ts";

/**
 * The lost alpha is forgotten as this node takes its slots. At an address that this node has now the others would take it for
 * the old one, and give that one the new epoch with the slots (`getNodeFromLinkAndMsg`, Redis 7.0). Cut off in between, the slots
 * are nobody's, and the next node that starts finds them so.
 */
export function takeLostSlots(
  observation: Observation,
  topology: Topology,
  self: Self,
  slots: readonly SlotRange[],
): { readonly steps: readonly Step[]; readonly table: NodeTable } {
  const lost = topology.shards.filter(
    (shard) => shard.alpha === undefined && isSameSlots(shard.slots, slots),
  );
  const ids = new Set(lost.map(({ alphaId }) => alphaId));
  const known = {
    ...topology,
    shards: topology.shards.filter(({ alphaId }) => !ids.has(alphaId)),
    absent: new Map([...topology.absent].filter(([id]) => !ids.has(id))),
  };
  const forgetting = topology.members.flatMap((at) =>
    [...ids].filter((id) => entryOf(at, id)).map((id): Step => ({ kind: "forget", at, id })),
  );
  return {
    steps: [...forgetting, ...healSteps(observation, topology, self)],
    table: becomeTable(known, self, { alphaOf: slots, epoch: topology.currentEpoch + 1 }),
  };
}
