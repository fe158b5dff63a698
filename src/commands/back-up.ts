/**
 * What `rekindle backup` and `rekindle sidecar --backup` share: the store, the servers, and snapshots until the end.
 */
import { createContinuous } from "../backup/continuous.ts";
import { createSourceFinder, type SourceFinder } from "../backup/find-sources.ts";
import {
  type BackupRecord,
  createBell,
  keepBackingUp,
  type ResidentOptions,
} from "../backup/resident.ts";
import type { BackupSettings } from "../backup/settings.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { retentionOf } from "../snapshots/settings.ts";
import { openStore } from "../stores/open-store.ts";
import type { Store } from "../stores/store.ts";

export interface BackupPlace {
  readonly url: string;
  readonly settings: BackupSettings;
  readonly connect: ConnectOptions;
  readonly findKnown: () => Promise<readonly Peer[]>;
  readonly log: Log;
}

/** Closes store and connections behind the work. */
export async function withBackup<T>(
  { url, settings, connect, findKnown, log }: BackupPlace,
  work: (store: Store, finder: SourceFinder) => Promise<T>,
): Promise<T> {
  const store = await openStore(url, settings);
  const finder = createSourceFinder(connect, findKnown, log);
  try {
    return await work(store, finder);
  } finally {
    finder.close();
    store.close();
  }
}

/** Until the signal; SIGUSR1 asks for a snapshot now. */
export function backUpUntil(
  signal: AbortSignal,
  place: BackupPlace,
  everyMs: number,
  isOurTurn: ResidentOptions["isOurTurn"],
  record: BackupRecord | undefined,
): Promise<void> {
  const bell = createBell();
  process.on("SIGUSR1", bell.ring);
  const { settings, connect, log } = place;
  return withBackup(place, (store, finder) => {
    const kept = { store, finder, connect, log };
    const continuous = settings.continuous
      ? createContinuous({ ...kept, onBroken: bell.nudge })
      : undefined;
    const retention = retentionOf(settings);
    const more = { signal, everyMs, isOurTurn, bell, record, continuous, retention };
    return keepBackingUp({ ...kept, ...more });
  }).finally(() => process.off("SIGUSR1", bell.ring));
}
