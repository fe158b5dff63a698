/**
 * Restores a snapshot into one node's data folder: whole, or not at all.
 */
import type { Log } from "../log.ts";
import type { DataFiles } from "../redis/data-files.ts";
import type { Server } from "../redis/server.ts";
import type { Store } from "../stores/store.ts";

/** First and last slot, both included. */
export type SlotRange = readonly [first: number, last: number];

/** Which snapshot: the newest where nothing is said. */
export interface WantedSnapshot {
  readonly id?: string | undefined;
  /** The data of that second, as far as the streams go. */
  readonly at?: Date | undefined;
}

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

/**
 * Into an empty data folder only. Cut off at any moment, it leaves a folder that `settleRestore` makes empty again, or whole.
 *
 * @returns "nothing to restore" where the store holds no snapshot at all: the first start of what has just been set up.
 * @throws RekindleError "refused" for a folder that holds data, a damaged snapshot, one of a newer server, none of that id or
 *   moment, or too little room; "tryAgain" where the store cannot be reached; nothing is left in the folder.
 */
export async function restoreFolder(
  _options: RestoreOptions,
): Promise<"restored" | "nothing to restore"> {
  throw new Error("not yet");
}

/**
 * Called before anything else reads the folder: takes away what a restore that was cut off has left, or, where only the last
 * renames were missing, carries it to its end.
 */
export function settleRestore(_dir: string, _log: Log): void {}
