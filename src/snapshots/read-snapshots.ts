/**
 * What a store holds: its snapshots, and the segments of their streams.
 */
import type { Store } from "../stores/store.ts";
import {
  type Manifest,
  manifestOf,
  parseManifest,
  readSegmentName,
  type Segment,
} from "./manifest.ts";

/** In their order. A snapshot without a manifest was cut off, and does not exist. */
export async function listSnapshots(
  store: Store,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { name } of store.list("snapshots/", signal)) {
    const id = /^snapshots\/([^/]+)\/manifest\.json$/.exec(name)?.[1];
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** @throws RekindleError "refused" for one that is damaged. */
export async function readSnapshot(
  store: Store,
  id: string,
  signal?: AbortSignal,
): Promise<Manifest> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(manifestOf(id), signal)) chunks.push(chunk);
  return parseManifest(Buffer.concat(chunks).toString(), `${store.url}: ${manifestOf(id)}`);
}

export async function listSegments(
  store: Store,
  stream: string,
  signal?: AbortSignal,
): Promise<readonly (Segment & { readonly bytes: number; readonly writtenAt: Date })[]> {
  const segments = [];
  for await (const { name, bytes, writtenAt } of store.list(`stream/${stream}/`, signal)) {
    const segment = readSegmentName(name);
    if (segment) segments.push({ ...segment, bytes, writtenAt });
  }
  return segments;
}
