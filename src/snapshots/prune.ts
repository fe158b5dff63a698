/**
 * Takes away what the rules do not keep, and what snapshots that were cut off have left.
 */
import type { Log } from "../log.ts";
import type { Store, StoredFile } from "../stores/store.ts";
import type { StoredSnapshot } from "./catalogue.ts";
import { manifestOf, readSegmentName } from "./manifest.ts";
import { readSnapshot } from "./read-snapshots.ts";
import { chooseExpired, type Retention } from "./retention.ts";

/** What is younger may be of a snapshot that is under way elsewhere. */
const leftoverAgeMs = 86_400_000;

/** Its manifest goes first: killed in between, this leaves what the next run takes for left over. */
export async function removeSnapshot(
  store: Store,
  { id, files }: StoredSnapshot,
  signal?: AbortSignal,
): Promise<void> {
  await store.remove([manifestOf(id)], signal);
  await store.remove(
    files.map(({ name }) => name),
    signal,
  );
}

/**
 * @returns the snapshots that are left.
 */
export async function prune(
  store: Store,
  catalogue: readonly StoredSnapshot[],
  rules: Retention,
  log: Log,
  signal?: AbortSignal,
): Promise<readonly StoredSnapshot[]> {
  const whole = catalogue.filter(({ isWhole }) => isWhole);
  const expired = chooseExpired(whole, rules);
  for (const snapshot of expired) {
    log.info("action", `removing the snapshot ${snapshot.id}: no rule keeps it`, {
      bytes: snapshot.files.reduce((sum, { bytes }) => sum + bytes, 0),
    });
    await removeSnapshot(store, snapshot, signal);
  }
  const kept = whole.filter((one) => !expired.includes(one));
  await removeLeftovers(store, catalogue, log, signal);
  await pruneStreams(store, kept, log, signal);
  return kept;
}

async function removeLeftovers(
  store: Store,
  catalogue: readonly StoredSnapshot[],
  log: Log,
  signal: AbortSignal | undefined,
): Promise<void> {
  const olderThan = new Date(Date.now() - leftoverAgeMs);
  const isOld = ({ atMs, files }: StoredSnapshot) =>
    atMs < olderThan.getTime() && files.every(({ writtenAt }) => writtenAt < olderThan);
  for (const { id, files } of catalogue.filter((one) => !one.isWhole && isOld(one))) {
    log.info("action", `removing what is left of the snapshot ${id}, which was cut off`);
    await store.remove(
      files.map(({ name }) => name),
      signal,
    );
  }
  const parts = await store.removeLeftovers(olderThan, signal);
  if (parts > 0) log.info("action", `removed ${parts} unfinished uploads`);
}

/** Segments before the oldest snapshot of their stream that is kept, and streams without one. */
async function pruneStreams(
  store: Store,
  kept: readonly StoredSnapshot[],
  log: Log,
  signal: AbortSignal | undefined,
): Promise<void> {
  const segments: StoredFile[] = [];
  for await (const file of store.list("stream/", signal)) segments.push(file);
  if (segments.length === 0) return;
  const oldest = new Map<string, number>();
  for (const { id } of kept) {
    for (const { stream, offset } of (await readSnapshot(store, id, signal)).shards)
      if (stream !== undefined)
        oldest.set(stream, Math.min(offset, oldest.get(stream) ?? Number.POSITIVE_INFINITY));
  }
  const olderThan = new Date(Date.now() - leftoverAgeMs);
  const unneeded = segments.filter(({ name, writtenAt }) => {
    const segment = readSegmentName(name);
    if (segment === undefined) return false;
    const from = oldest.get(segment.stream);
    // A stream without a snapshot may be that of one that is not ready yet.
    return from === undefined ? writtenAt < olderThan : segment.to <= from;
  });
  if (unneeded.length === 0) return;
  log.info("action", `removing ${unneeded.length} segments of streams: no snapshot needs them`);
  await store.remove(
    unneeded.map(({ name }) => name),
    signal,
  );
}
