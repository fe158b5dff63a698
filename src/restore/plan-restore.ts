/**
 * Which snapshot, which of its shards, and which part of their streams. Pure: no clock, network or file.
 */
import { intersect, isEmptySet, parseSlotRange, type SlotSet, slotSet } from "../rdb/slots.ts";
import { canLoad, formatOf } from "../rdb/versions.ts";
import type { ServerVersion } from "../redis/server.ts";
import type { Manifest, Shard } from "../snapshots/manifest.ts";
import type { Part, RestorePlan, StoredSegment, WantedSnapshot } from "./types.ts";

export interface Stored {
  /** In the order of their ids. */
  readonly manifests: readonly Manifest[];
  readonly segments: readonly StoredSegment[];
}

export interface Target {
  readonly server: ServerVersion;
  /** Undefined: whatever there is. */
  readonly slots: SlotSet | undefined;
}

/** @param wanted which; `choose` names it first, so that only the segments of its streams need be listed. */
export function planRestore(
  { manifests, segments }: Stored,
  wanted: WantedSnapshot,
  target: Target,
): RestorePlan {
  const choice = chooseSnapshot(manifests, wanted);
  if (choice.kind !== "chosen") return choice;
  const { manifest } = choice;
  const refusal = refuseNewer(manifest, target.server);
  if (refusal) return refusal;
  const parts = manifest.shards.flatMap((shard) => partOf(shard, segments, target.slots));
  if (parts.length === 0)
    return {
      kind: "refuse",
      reason: `snapshot ${manifest.id} holds none of the slots`,
      hint: "choose another snapshot: `rekindle backups` lists them",
    };
  return {
    kind: "restore",
    source: {
      manifest,
      parts,
      untilSeconds: wanted.at && Math.floor(wanted.at.getTime() / 1_000),
      bytes: Math.round(parts.reduce((sum, part) => sum + bytesOf(part), 0)),
    },
  };
}

type Choice =
  | Exclude<RestorePlan, { kind: "restore" }>
  | { readonly kind: "chosen"; readonly manifest: Manifest };

export function chooseSnapshot(manifests: readonly Manifest[], { id, at }: WantedSnapshot): Choice {
  const [oldest] = manifests;
  if (oldest === undefined) return { kind: "nothing" };
  if (id !== undefined) {
    const manifest = manifests.find((one) => one.id === id);
    if (manifest) return { kind: "chosen", manifest };
    return {
      kind: "refuse",
      reason: `the store has no snapshot ${id}`,
      hint: "choose another one: `rekindle backups` lists them",
    };
  }
  // The data of a snapshot may be that of its end.
  const moment = at?.toISOString();
  const before = manifests.filter(({ endedAt }) => moment === undefined || endedAt <= moment);
  const manifest = before.at(-1);
  if (manifest) return { kind: "chosen", manifest };
  return {
    kind: "refuse",
    reason: `the oldest snapshot, ${oldest.id}, is of ${oldest.endedAt}, and nothing earlier is there`,
    hint: "ask for that moment or a later one with --at",
  };
}

function refuseNewer(manifest: Manifest, server: ServerVersion): RestorePlan | undefined {
  const { name, version } = manifest.server;
  if (canLoad(server, formatOf(manifest.server))) return undefined;
  return {
    kind: "refuse",
    reason: `snapshot ${manifest.id} is of ${titleOf(name)} ${version}, and ${titleOf(server.name)} ${server.version} cannot load it`,
    hint: "use the server that it was taken from, or a newer one of the same kind",
  };
}

const titleOf = (name: "redis" | "valkey"): string => (name === "redis" ? "Redis" : "Valkey");

/** None where the shard has none of the slots. */
function partOf(
  shard: Shard,
  segments: readonly StoredSegment[],
  wanted: SlotSet | undefined,
): readonly Part[] {
  // What a server held of slots that were not its own, in the middle of a migration, another one holds too.
  const own = shard.slots.length > 0 ? slotSet(shard.slots.map(parseSlotRange)) : undefined;
  const slots = own && wanted ? intersect(own, wanted) : (own ?? wanted);
  if (slots && isEmptySet(slots)) return [];
  return [{ shard, slots, ...follow(shard, segments) }];
}

/** What goes on from the RDB without a gap. */
function follow(
  { stream, offset }: Shard,
  segments: readonly StoredSegment[],
): Pick<Part, "segments" | "gapAt"> {
  const own = segments
    .filter((segment) => segment.stream === stream && segment.to > offset)
    .sort((a, b) => a.from - b.from || b.to - a.to);
  const found: StoredSegment[] = [];
  let next = offset;
  for (const segment of own) {
    // Another copy of what there is already.
    if (segment.to <= next) continue;
    if (segment.from !== next) return { segments: found, gapAt: next };
    found.push(segment);
    next = segment.to;
  }
  return { segments: found, gapAt: undefined };
}

/** Keys are spread evenly over slots, more or less. */
function bytesOf({ shard, slots, segments }: Part): number {
  const stream = segments.reduce((sum, { bytes }) => sum + bytes, 0);
  const own =
    shard.slots.length > 0 ? countSet(slotSet(shard.slots.map(parseSlotRange))) : undefined;
  const share = slots ? countSet(slots) / (own ?? slots.length) : 1;
  return (shard.bytes + stream) * share;
}

const countSet = (set: SlotSet): number => set.reduce((sum, wanted) => sum + wanted, 0);
