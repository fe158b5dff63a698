/**
 * Restores a snapshot into one node's data folder: whole, or not at all.
 */
import { rmSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf, RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type SlotRange, slotSet } from "../rdb/slots.ts";
import { type DataFiles, findDataFiles, isWithoutKeys } from "../redis/data-files.ts";
import type { Server } from "../redis/server.ts";
import { readServerVersion } from "../redis/server-version.ts";
import type { Store } from "../stores/store.ts";
import { layOut } from "./lay-out.ts";
import { planFromStore } from "./plan-from-store.ts";
import { createProgress } from "./progress.ts";
import { commitStaging, dropStaging, openStaging } from "./staging.ts";
import type { Source, WantedSnapshot } from "./types.ts";
import { type Stream, writeRdb, writeStreams } from "./write-data.ts";

export type { SlotRange, WantedSnapshot };

export interface RestoreOptions {
  readonly store: Store;
  readonly wanted: WantedSnapshot;
  /** Only the keys of these; undefined: all. */
  readonly slots?: readonly SlotRange[] | undefined;
  /** Where the server will look for its data, and whether it is to load an append-only file. */
  readonly files: DataFiles;
  readonly server: Server;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** Everything is written and checked, and nothing of it counts yet. */
export interface Prepared {
  /**
   * Puts it into place, at once and for good.
   *
   * @param beside further files, by their names, that appear together with it.
   */
  commit(beside?: Readonly<Record<string, string>>): void;
  /** Takes it away again. */
  discard(): void;
}

/**
 * Into an empty data folder only. Cut off at any moment, it leaves a folder that `settleRestore` makes empty again, or whole.
 *
 * @returns "nothing to restore" where the store holds no snapshot at all: the first start of what has just been set up.
 * @throws RekindleError "refused" for a folder that holds data, a damaged snapshot, one of a newer server, none of that id or
 *   moment, or too little room; "tryAgain" where the store cannot be reached; nothing is left in the folder.
 */
export async function restoreFolder(
  options: RestoreOptions,
): Promise<"restored" | "nothing to restore"> {
  const prepared = await prepareRestore(options);
  if (prepared === undefined) return "nothing to restore";
  prepared.commit();
  return "restored";
}

/**
 * Does all that takes its time. @returns undefined where the store holds no snapshot at all.
 *
 * @throws RekindleError as `restoreFolder` does.
 */
export async function prepareRestore(options: RestoreOptions): Promise<Prepared | undefined> {
  const { store, wanted, slots, files, server, log, signal } = options;
  refuseData(files);
  const target = { server: await readServerVersion(server.path), slots: slots && slotSet(slots) };
  log.info("action", `restoring from ${store.url}`, { slots, at: wanted.at, snapshot: wanted.id });
  const plan = await planFromStore(store, wanted, target, signal);
  if (plan.kind === "nothing") {
    log.warn("action", `nothing to restore: ${store.url} holds no snapshot`);
    return undefined;
  }
  if (plan.kind === "refuse") throw new RekindleError("refused", plan.reason, { hint: plan.hint });
  await requireRoom(files.dir, plan.source);
  const folder = openStaging(files.dir);
  try {
    await write(options, plan.source, folder);
  } catch (thrown) {
    dropStaging(files.dir);
    throw isFull(thrown) ? noRoom(files.dir, thrown) : thrown;
  }
  return {
    commit: (beside = {}) => commitStaging(files.dir, beside),
    discard: () => dropStaging(files.dir),
  };
}

async function write(
  { store, files, server, log, signal }: RestoreOptions,
  source: Source,
  folder: string,
): Promise<void> {
  const progress = createProgress(log, source);
  const work = { store, source, onBytes: progress.came, signal };
  const written = { folder, rdb: "restoring.rdb", commands: "restoring.aof" };
  const hasStream = source.parts.some(({ segments }) => segments.length > 0);
  const streams = hasStream
    ? await writeStreams(join(folder, written.commands), work, !server.hasBusPort)
    : [];
  const voided = new Set(streams.filter(({ isWhole }) => isWhole).map(({ part }) => part));
  const parts = source.parts.map((part) => (voided.has(part) ? { ...part, slots: noSlots } : part));
  const { records } = await writeRdb(join(folder, written.rdb), work, parts);
  tellWhereItEnds(log, source, streams);
  const commands = streams.reduce((sum, stream) => sum + stream.commands, 0);
  if (hasStream && commands === 0) rmSync(join(folder, written.commands));
  await layOut(
    { ...written, commands: commands > 0 ? written.commands : undefined },
    files,
    server,
  );
  progress.finished({ records: records || undefined, commands });
}

const noSlots = slotSet([]);

/** Nothing is more surprising than data that is older than it was thought to be. */
function tellWhereItEnds(
  log: Log,
  { manifest, parts, untilSeconds }: Source,
  streams: readonly Stream[],
): void {
  for (const [index, part] of parts.entries()) {
    const { seconds, isCut } = streams[index] ?? { seconds: undefined, isCut: false };
    if (isCut) continue;
    const until =
      seconds === undefined ? manifest.endedAt : new Date(seconds * 1_000).toISOString();
    const fields = { shard: part.shard.file, until };
    if (part.gapAt !== undefined)
      log.warn(
        "action",
        `the stream has a gap after offset ${part.gapAt}: the data is that of ${until}`,
        fields,
      );
    else if (untilSeconds !== undefined && Date.parse(until) < untilSeconds * 1_000)
      log.warn("action", `nothing later is there: the data is that of ${until}`, fields);
  }
}

function refuseData(files: DataFiles): void {
  const [first] = findDataFiles(files).filter((path) => !isWithoutKeys(path));
  if (first === undefined) return;
  throw new RekindleError("refused", `the data folder holds data already: ${first}`, {
    hint: "restore into an empty folder, or move the data away",
  });
}

/** Keys may be spread unevenly over the slots. */
const certainty = 0.8;

async function requireRoom(dir: string, { bytes }: Source): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize >= bytes * certainty) return;
  throw noRoom(dir, `${megabytes(bytes)} are needed, ${megabytes(bavail * bsize)} are free`);
}

const isFull = (thrown: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(codeOf(thrown) ?? "");

const noRoom = (dir: string, why: unknown): RekindleError =>
  new RekindleError("refused", `there is no room in ${dir} for the snapshot: ${messageOf(why)}`, {
    hint: "give it a larger disk; nothing was left there",
    cause: why,
  });

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
