/**
 * Slots whose alpha and all its betas are gone for good, restored by a new node before it serves them. Pure.
 *
 * Restoring may take long, and the world may change meanwhile: afterwards all is looked at again, and what was restored is taken
 * into use only if the slots are still nobody's.
 */
import { compareNames } from "../address.ts";
import { becomeTable } from "./build-table.ts";
import { describeSlots, type SlotRange } from "./nodes.ts";
import { healSteps } from "./plan-healing.ts";
import { entryOf, type Topology } from "./topology.ts";
import type { Observation, PeerView, Plan, Self, Step } from "./types.ts";

/**
 * @param shards the slots of each that is lost.
 * @param newcomers other new nodes on their way in.
 */
export function restoreLost(
  observation: Observation,
  topology: Topology,
  self: Self,
  shards: readonly (readonly SlotRange[])[],
  newcomers: readonly PeerView[],
): Plan {
  const missing = describeSlots(shards.flat());
  if (observation.snapshot === "unknown")
    return { kind: "find-snapshot", reason: `slots ${missing} are lost: is there a snapshot?` };
  if (observation.snapshot !== "found") {
    return {
      kind: "wait",
      reason: `slots ${missing} are lost and the store holds no snapshot; waiting for one of their nodes to come back`,
    };
  }
  const ready = shards.find((slots) => isSame(slots, self.restored));
  if (ready) return serveRestored(observation, topology, self, ready);
  const taken = newcomers.map(restoring).filter((slots) => slots !== undefined);
  const free = shards.filter((slots) => !taken.some((one) => isSame(slots, one)));
  const before = newcomers.filter(
    (peer) => restoring(peer) === undefined && compareNames(peer.name, self.name) < 0,
  );
  const slots = free[before.length];
  if (slots === undefined)
    return { kind: "wait", reason: `slots ${missing} are being restored by another new node` };
  return {
    kind: "restore",
    reason: `restoring slots ${describeSlots(slots)}: their alpha and all its betas are gone`,
    slots,
  };
}

/**
 * The lost alpha is forgotten as this node takes its slots. At an address that this node has now the others would take it for
 * the old one, and give that one the new epoch with the slots (`getNodeFromLinkAndMsg`, Redis 7.0). Cut off in between, the slots
 * are nobody's, and the next node that starts finds them so.
 */
function serveRestored(
  observation: Observation,
  topology: Topology,
  self: Self,
  slots: readonly SlotRange[],
): Plan {
  const lost = topology.shards.filter(
    (shard) => shard.alpha === undefined && isSame(shard.slots, slots),
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
    kind: "become",
    reason: `serving slots ${describeSlots(slots)} as the snapshot has them`,
    steps: [...forgetting, ...healSteps(observation, topology, self)],
    table: becomeTable(known, self, { alphaOf: slots, epoch: topology.currentEpoch + 1 }),
    report: "Restored",
    isRestored: true,
  };
}

const restoring = ({ seen }: PeerView): readonly SlotRange[] | undefined =>
  seen.state === "silent" ? seen.entrypoint?.restores : undefined;

const isSame = (slots: readonly SlotRange[], other: readonly SlotRange[] | undefined): boolean =>
  describeSlots(slots) === describeSlots(other ?? []);
