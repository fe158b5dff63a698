/**
 * The words that planning and carrying out a restore share.
 */
import type { SlotSet } from "../rdb/slots.ts";
import type { Manifest, Segment, Shard } from "../snapshots/manifest.ts";

/** Which snapshot: the newest where nothing is said. */
export interface WantedSnapshot {
  readonly id?: string | undefined;
  /** The data of that second, as far as the streams go. */
  readonly at?: Date | undefined;
}

export interface StoredSegment extends Segment {
  readonly bytes: number;
}

/** What one shard of a snapshot gives. */
export interface Part {
  readonly shard: Shard;
  /** Those of its slots that are wanted; undefined: whatever it holds. */
  readonly slots: SlotSet | undefined;
  /** What goes on from its RDB, in order and without a gap. */
  readonly segments: readonly StoredSegment[];
  /** The stream goes on further after a gap here: the offset that is missing. */
  readonly gapAt: number | undefined;
}

export interface Source {
  readonly manifest: Manifest;
  readonly parts: readonly Part[];
  /** Everything up to and including this second; undefined: to the end. */
  readonly untilSeconds: number | undefined;
  /** About so many, at most. */
  readonly bytes: number;
}

export type RestorePlan =
  | { readonly kind: "nothing" }
  | { readonly kind: "refuse"; readonly reason: string; readonly hint: string }
  | { readonly kind: "restore"; readonly source: Source };
