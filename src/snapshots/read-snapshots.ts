/**
 * A snapshot's manifest, and the segments of its streams, as a store has them.
 */
import { readAll } from "../stores/small-files.ts";
import type { Store } from "../stores/store.ts";
import { readCatalogue } from "./catalogue.ts";
import {
  type Manifest,
  manifestOf,
  parseManifest,
  readSegmentName,
  type Segment,
} from "./manifest.ts";

/** The ids of the whole ones, in their order. */
export async function listSnapshots(
  store: Store,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const catalogue = await readCatalogue(store, signal);
  return catalogue.filter(({ isWhole }) => isWhole).map(({ id }) => id);
}

/** @throws RekindleError "refused" for one that is damaged. */
export async function readSnapshot(
  store: Store,
  id: string,
  signal?: AbortSignal,
): Promise<Manifest> {
  const bytes = await readAll(store, manifestOf(id), signal);
  return parseManifest(bytes.toString(), `${store.url}/${manifestOf(id)}`);
}

export interface ListedSegment extends Segment {
  readonly bytes: number;
  readonly writtenAt: Date;
}

export async function listSegments(
  store: Store,
  stream: string,
  signal?: AbortSignal,
): Promise<readonly ListedSegment[]> {
  const segments: ListedSegment[] = [];
  for await (const { name, bytes, writtenAt } of store.list(`stream/${stream}/`, signal)) {
    const segment = readSegmentName(name);
    if (segment) segments.push({ ...segment, bytes, writtenAt });
  }
  return segments;
}
