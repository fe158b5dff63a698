/**
 * Restoring as a part of a boot, where the planner decides if, when and what: looked for once, made ready, and put into place when
 * the node becomes what it is.
 */
import type { Log } from "../log.ts";
import type { SlotRange } from "../rdb/slots.ts";
import type { DataFiles } from "../redis/data-files.ts";
import type { Server } from "../redis/server.ts";
import { listSnapshots } from "../snapshots/read-snapshots.ts";
import { openStore } from "../stores/open-store.ts";
import { type Prepared, prepareRestore } from "./restore-folder.ts";
import type { RestoreSettings } from "./settings.ts";

/** Whether the store holds any snapshot at all; "unknown" until it was asked. */
export type Sight = "unknown" | "none" | "found";

export interface Restorer {
  readonly sight: Sight;
  /** What is ready: these slots, or all. */
  readonly ready: readonly SlotRange[] | "all" | undefined;
  /** What is ready, or being made ready. */
  readonly wanted: readonly SlotRange[] | "all" | undefined;
  /** @throws RekindleError "tryAgain" where the store cannot be reached. */
  look(): Promise<void>;
  /** @throws RekindleError as `restoreFolder` does. */
  prepare(slots: readonly SlotRange[] | "all"): Promise<void>;
  /** @param beside further files that appear together with the data. */
  commit(beside?: Readonly<Record<string, string>>): void;
  /** What is ready is not needed after all. */
  discard(): void;
}

export async function createRestorer(
  settings: RestoreSettings & { readonly restoreFrom: string },
  files: DataFiles,
  server: Server,
  log: Log,
): Promise<Restorer> {
  const { restoreFrom, restoreSnapshot: id, restoreAt: at } = settings;
  const store = await openStore(restoreFrom, settings);
  let sight: Sight = "unknown";
  let prepared: Prepared | undefined;
  let wanted: Restorer["wanted"];

  function discard(): void {
    prepared?.discard();
    prepared = undefined;
    wanted = undefined;
  }

  return {
    get sight() {
      return sight;
    },
    get ready() {
      return prepared && wanted;
    },
    get wanted() {
      return wanted;
    },
    async look() {
      log.info("action", `looking for a snapshot in ${store.url}`);
      sight = (await listSnapshots(store)).length > 0 ? "found" : "none";
      if (sight === "none")
        log.warn("action", `nothing to restore: ${store.url} holds no snapshot; starting empty`);
    },
    async prepare(slots) {
      discard();
      wanted = slots;
      prepared = await prepareRestore({
        store,
        wanted: { id, at },
        slots: slots === "all" ? undefined : slots,
        files,
        server,
        log,
      });
      if (prepared === undefined) sight = "none";
    },
    commit(beside) {
      prepared?.commit(beside);
      prepared = undefined;
    },
    discard,
  };
}
