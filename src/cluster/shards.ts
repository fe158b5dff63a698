/**
 * Who owns which slots: every node's own claim counts, and where claims overlap the higher config epoch wins
 * (Redis cluster specification, "Hash slots configuration propagation").
 */
import { isAlpha, myselfOf, type NodeEntry, type SlotRange, slotCount } from "./nodes.ts";
import type { Member, Self } from "./types.ts";

export interface Shard {
  readonly alphaId: string;
  /** The owner, where it answered. */
  readonly alpha: Member | undefined;
  readonly epoch: number;
  readonly slots: readonly SlotRange[];
  /** Answering betas. */
  readonly betas: readonly Member[];
  /** Ids of betas that some member knows and that did not answer. */
  readonly absentBetas: readonly string[];
}

interface Claim {
  readonly id: string;
  readonly epoch: number;
  readonly slots: readonly SlotRange[];
}

export function resolveOwners(
  members: readonly Member[],
  absent: ReadonlyMap<string, readonly NodeEntry[]>,
  self: Self | undefined,
): readonly Shard[] {
  const own = self?.table && myselfOf(self.table);
  const claims = [
    ...members.map((member) => claimOf(myselfOf(member.seen.table))),
    ...[...absent.values()].map((entries) => claimOf(newest(entries))),
    claimOf(own),
    // A member may know better than our own old nodes.conf what we own.
    ...members.map((member) =>
      claimOf(member.seen.table.nodes.find((node) => node.id === own?.id)),
    ),
  ].filter((claim) => claim !== undefined);
  return [...slotsByOwner(claims)].map(([claim, slots]) => {
    const { id, epoch } = claim;
    return {
      alphaId: id,
      alpha: members.find((member) => member.seen.id === id),
      epoch,
      slots,
      betas: members.filter((member) => myselfOf(member.seen.table)?.alphaId === id),
      absentBetas: [...absent]
        .filter(([, entries]) => newest(entries)?.alphaId === id)
        .map(([beta]) => beta),
    };
  });
}

function claimOf(entry: NodeEntry | undefined): Claim | undefined {
  if (entry === undefined || !isAlpha(entry) || entry.slots.length === 0) return undefined;
  return { id: entry.id, epoch: entry.epoch, slots: entry.slots };
}

/**
 * Of several tables' entries for one node, the one with the highest epoch; an alpha's before a beta's zero. Of those alike one
 * that knows its place: who has just met a beta does not know yet whose it is.
 */
export function newest(entries: readonly NodeEntry[]): NodeEntry | undefined {
  return entries.reduce<NodeEntry | undefined>(
    (best, entry) => (best === undefined || isNewer(entry, best) ? entry : best),
    undefined,
  );
}

const isNewer = (one: NodeEntry, other: NodeEntry): boolean =>
  one.epoch > other.epoch || (one.epoch === other.epoch && hasPlace(one) && !hasPlace(other));

/** An alpha, or a beta of which the table knows whose. */
export const hasPlace = (entry: NodeEntry): boolean =>
  isAlpha(entry) || entry.alphaId !== undefined;

function slotsByOwner(claims: readonly Claim[]): ReadonlyMap<Claim, readonly SlotRange[]> {
  const owners = new Int32Array(slotCount).fill(-1);
  claims.forEach((claim, index) => {
    for (const [first, last] of claim.slots) {
      for (let slot = first; slot <= last; slot++) {
        const rival = claims[owners[slot] ?? -1];
        if (rival === undefined || claim.epoch > rival.epoch) owners[slot] = index;
      }
    }
  });
  const ranges = new Map<Claim, [number, number][]>();
  for (let slot = 0; slot < slotCount; slot++) {
    const claim = claims[owners[slot] ?? -1];
    if (claim === undefined) continue;
    const list = ranges.get(claim) ?? [];
    if (list.length === 0) ranges.set(claim, list);
    const tail = list.at(-1);
    if (tail && tail[1] === slot - 1) tail[1] = slot;
    else list.push([slot, slot]);
  }
  return mergeById(ranges);
}

/** Two claims may be of one node, known twice; what it owns is their union. */
function mergeById(
  ranges: ReadonlyMap<Claim, readonly SlotRange[]>,
): ReadonlyMap<Claim, readonly SlotRange[]> {
  const merged = new Map<string, { claim: Claim; slots: SlotRange[] }>();
  for (const [claim, slots] of ranges) {
    const twin = merged.get(claim.id);
    if (twin === undefined) merged.set(claim.id, { claim, slots: [...slots] });
    else
      merged.set(claim.id, {
        claim: twin.claim.epoch > claim.epoch ? twin.claim : claim,
        slots: [...twin.slots, ...slots],
      });
  }
  const entries = [...merged.values()].sort(
    (a, b) => (a.slots[0]?.[0] ?? 0) - (b.slots[0]?.[0] ?? 0),
  );
  return new Map(entries.map(({ claim, slots }) => [claim, slots]));
}

/** The slots that nobody claims. */
export function slotsWithoutOwner(shards: readonly Shard[]): readonly SlotRange[] {
  const owned = new Uint8Array(slotCount);
  for (const [first, last] of shards.flatMap((shard) => shard.slots))
    owned.fill(1, first, last + 1);
  const free: [number, number][] = [];
  owned.forEach((taken, slot) => {
    if (taken) return;
    const tail = free.at(-1);
    if (tail && tail[1] === slot - 1) tail[1] = slot;
    else free.push([slot, slot]);
  });
  return free;
}
