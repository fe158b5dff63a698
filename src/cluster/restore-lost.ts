/**
 * Slots whose alpha and all its betas are gone for good, restored by a new node before it serves them. Pure.
 *
 * Restoring may take long, and the world may change meanwhile: afterwards all is looked at again, and what was restored is taken
 * into use only if the slots are still nobody's.
 */
import { compareNames } from "../address.ts";
import { describeSlots, isSameSlots, type SlotRange } from "./nodes.ts";
import { takeLostSlots } from "./take-lost-slots.ts";
import type { Topology } from "./topology.ts";
import type { Observation, PeerView, Plan, Self } from "./types.ts";

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
  const ready = shards.find((slots) => isSameSlots(slots, self.restored));
  if (ready) return serveRestored(observation, topology, self, ready);
  const taken = newcomers.map(restoring).filter((slots) => slots !== undefined);
  const free = shards.filter((slots) => !taken.some((one) => isSameSlots(slots, one)));
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

function serveRestored(
  observation: Observation,
  topology: Topology,
  self: Self,
  slots: readonly SlotRange[],
): Plan {
  return {
    kind: "become",
    reason: `serving slots ${describeSlots(slots)} as the snapshot has them`,
    ...takeLostSlots(observation, topology, self, slots),
    report: "Restored",
    isRestored: true,
  };
}

const restoring = ({ seen }: PeerView): readonly SlotRange[] | undefined =>
  seen.state === "silent" ? seen.entrypoint?.restores : undefined;
