/**
 * The nodes.conf that this node starts with: itself in its role, and the others as they are known now.
 *
 * A node that starts with such a table is a member from its first moment; the others hear of it by CLUSTER MEET.
 * An address is written only where the node answered there a moment ago, or where discovery still names it; the own alpha's
 * only in the first case (rule 10), since the server would at once copy from whoever listens there.
 */
import { sameAddress } from "../address.ts";
import { isFailed, myselfOf, type NodeEntry, type NodeTable, type SlotRange } from "./nodes.ts";
import { newest } from "./shards.ts";
import { entryOf, isFunctioning, isGoneOrFailed, isRenumbered, type Topology } from "./topology.ts";
import type { Member, Self } from "./types.ts";

export type Role =
  /** As the own nodes.conf has it. */
  | { readonly keepRole: true }
  | { readonly betaOf: string }
  | { readonly alphaOf: readonly SlotRange[]; readonly epoch: number };

/** A new node has no id yet: `blankId` stands in for it, and the actor, who may be random, replaces it. */
export function becomeTable(topology: Topology, self: Self, role: Role): NodeTable {
  const old = self.table && myselfOf(self.table);
  const myself = ownEntry(self, old, role);
  const others = [
    ...topology.members.map((member) => memberEntry(topology, member)),
    ...[...topology.absent].flatMap(([id, entries]) =>
      absentEntry(topology, id, entries, myself, self),
    ),
  ];
  const ownEpochs = [self.table?.currentEpoch ?? 0, myself.epoch];
  return {
    nodes: [myself, ...others.filter((entry) => entry !== undefined)],
    currentEpoch: Math.max(topology.currentEpoch, ...ownEpochs),
    lastVoteEpoch: self.table?.lastVoteEpoch ?? 0,
  };
}

/** Stands for an id that is yet to be drawn. */
export const blankId = "0".repeat(40);

function ownEntry(self: Self, old: NodeEntry | undefined, role: Role): NodeEntry {
  const base = {
    id: old?.id ?? blankId,
    address: self.address,
    hostname: "",
    linkUp: true,
    heardAt: 0,
  };
  if ("keepRole" in role && old) return { ...old, ...base };
  if ("alphaOf" in role) {
    return {
      ...base,
      flags: ["myself", "master"],
      alphaId: undefined,
      epoch: role.epoch,
      slots: role.alphaOf,
      migrations: [],
    };
  }
  const alphaId = "betaOf" in role ? role.betaOf : undefined;
  return { ...base, flags: ["myself", "slave"], alphaId, epoch: 0, slots: [], migrations: [] };
}

/** As the member itself says, less the slots that somebody with a higher epoch owns by now. */
function memberEntry(topology: Topology, member: Member): NodeEntry | undefined {
  const claim = myselfOf(member.seen.table);
  if (claim === undefined) return undefined;
  const shard = topology.shards.find((one) => one.alphaId === claim.id);
  return {
    ...claim,
    address: member.address,
    flags: claim.flags.filter((flag) => flag !== "myself"),
    slots: shard?.slots ?? [],
    migrations: [],
  };
}

function absentEntry(
  topology: Topology,
  id: string,
  entries: readonly NodeEntry[],
  myself: NodeEntry,
  self: Self,
): NodeEntry | undefined {
  const known = newest(entries);
  const shard = topology.shards.find((one) => one.alphaId === id);
  if (known === undefined) return undefined;
  if (shard === undefined && isLeftOut(topology, id, self)) return undefined;
  const named = topology.silent.find((peer) =>
    entries.some((entry) => entry.address && sameAddress(entry.address, peer.address)),
  );
  const isUnsure = id === myself.alphaId || isRenumbered(topology);
  const role = known.flags.filter(
    (flag) => flag === "master" || flag === "slave" || flag === "nofailover",
  );
  // The opinions in the own nodes.conf are those of another life.
  const opinions = topology.members.flatMap((member) => entryOf(member, id) ?? []);
  const failed = opinions.length > 0 && opinions.every(isFailed) ? ["fail"] : [];
  return {
    ...known,
    address: isUnsure ? undefined : named?.address,
    flags: [...role, ...failed],
    linkUp: false,
    slots: shard?.slots ?? [],
    migrations: [],
  };
}

/**
 * Of the silent ones that own nothing. A new node leaves them to gossip: another node that starts just now may have
 * everybody forget one of them, and we would not hear of that. A returning node keeps them: when all start at once, those
 * that know each other find each other again, and nobody gossips about a node that all have dropped. Ghosts nobody keeps.
 */
function isLeftOut(topology: Topology, id: string, self: Self): boolean {
  if (self.table === undefined || isGoneOrFailed(topology, id)) return true;
  const isKnown = topology.members.some((member) => entryOf(member, id) !== undefined);
  return !isKnown && isFunctioning(topology);
}
