/**
 * Takes one snapshot: of all shards from the same moment on, each streamed from its server to the store. What says that it is there,
 * its manifest, is written last.
 */
import { messageOf, RekindleError } from "../errors.ts";
import { drawNodeId } from "../files.ts";
import type { Log } from "../log.ts";
import { type Manifest, makeId, manifestOf, printManifest, rdbOf } from "../snapshots/manifest.ts";
import { writeAtOnce } from "../stores/small-files.ts";
import { haveSameSlots } from "./choose-sources.ts";
import { type CopyOptions, copyShards, fileOf } from "./copy-shards.ts";
import type { Found, SourceFinder } from "./find-sources.ts";

export interface SnapshotOptions extends CopyOptions {
  readonly finder: SourceFinder;
  readonly log: Log;
}

/** How long the servers may take to be whole; a failover is over by then. */
const patienceMs = 30_000;
const attempts = 3;
const tidyingDeadlineMs = 5_000;

/** @throws RekindleError where there is no snapshot; nothing of it is listed then. */
export async function takeSnapshot(options: SnapshotOptions): Promise<Manifest> {
  for (let attempt = 1; ; attempt++) {
    const found = await options.finder.find(patienceMs, options.signal);
    const taken = await takeFrom(found, options);
    if (taken !== undefined) return taken;
    if (attempt === attempts)
      throw new RekindleError("tryAgain", "slots were moved during each of three snapshots", {
        hint: "try again when no slots are on their way from one node to another",
      });
    options.log.info("wait", "slots were moved during the snapshot: it is taken again");
  }
}

/** @returns undefined where slots were moved meanwhile: keys could be in it twice, or not at all. */
async function takeFrom(
  { topology, sources }: Found,
  options: SnapshotOptions,
): Promise<Manifest | undefined> {
  const { store, log, finder, signal, keeper } = options;
  const startedAt = new Date();
  const id = makeId(startedAt, drawNodeId());
  for (const { name, role, slots } of sources)
    log.info("action", `snapshot ${id}: copying the ${role} ${name}`, {
      slots: slots.length > 0 ? slots.join(",") : undefined,
    });
  let isWhole = false;
  try {
    const { server, shards } = await copyShards(id, sources, options);
    const after = await finder.find(patienceMs, signal);
    if (!haveSameSlots(sources, after.sources)) return undefined;
    const { encryptedFor } = store;
    const manifest: Manifest = {
      format: 1,
      id,
      startedAt: startedAt.toISOString(),
      endedAt: new Date().toISOString(),
      topology,
      server,
      ...(encryptedFor !== undefined && { encryptedFor }),
      shards,
    };
    await writeAtOnce(store, manifestOf(id), Buffer.from(printManifest(manifest)), signal);
    isWhole = true;
    keeper?.confirm();
    return manifest;
  } finally {
    if (!isWhole) {
      keeper?.abandon();
      await removeFiles(id, sources.length, options);
    }
  }
}

/** What cannot be removed now the next snapshots do, when it is a day old. */
async function removeFiles(
  id: string,
  shards: number,
  { store, log }: SnapshotOptions,
): Promise<void> {
  const rdbs = Array.from({ length: shards }, (_, index) => rdbOf(id, { file: fileOf(index) }));
  try {
    // The manifest first: whether the store has it is not known where writing it failed.
    await store.remove([manifestOf(id), ...rdbs], AbortSignal.timeout(tidyingDeadlineMs));
  } catch (thrown) {
    log.debug("action", `files of ${id} are left for later: ${messageOf(thrown)}`);
  }
}
