/**
 * Takes snapshots when they are due, or when it is told to, and removes those that no rule keeps, until it is stopped.
 */
import { explain, isRekindleError, messageOf } from "../errors.ts";
import { readCatalogue } from "../snapshots/catalogue.ts";
import { bytesOf, type Manifest, tookMs } from "../snapshots/manifest.ts";
import { prune } from "../snapshots/prune.ts";
import type { Retention } from "../snapshots/retention.ts";
import type { Continuous } from "./continuous.ts";
import type { Sight } from "./find-sources.ts";
import { nextSnapshotAt, type Past } from "./schedule.ts";
import { type SnapshotOptions, takeSnapshot } from "./take-snapshot.ts";

export interface ResidentOptions extends SnapshotOptions {
  readonly everyMs: number;
  readonly retention: Retention;
  readonly signal: AbortSignal;
  /** Whether this process, of all that could, takes the snapshots. */
  readonly isOurTurn: (sight: Sight) => Promise<boolean>;
  readonly record?: BackupRecord | undefined;
  readonly bell: Bell;
  /** What is written between snapshots is kept, too. */
  readonly continuous?: Continuous | undefined;
}

export interface BackupRecord {
  backedUp(seconds: number, bytes: number | undefined): void;
  backupsAre(newestAt: number | undefined, everyMs: number): void;
  streamedUntil(ms: number | undefined): void;
}

/** Rung from outside: a snapshot is wanted now. */
export interface Bell {
  ring(): void;
  /** Ends the wait, for something else than being rung. */
  nudge(): void;
  /** Whether it was rung since the last call. */
  take(): boolean;
  /** @returns when it rings, the time is over, or the signal says so. */
  within(ms: number, signal: AbortSignal): Promise<void>;
}

/** Between two looks at whose turn it is: a node that is gone is noticed in that time. */
const lookMs = 10_000;

/** Runs until its signal; whatever fails is tried again. */
export async function keepBackingUp(options: ResidentOptions): Promise<void> {
  const { everyMs, signal, bell, log, finder, continuous, record } = options;
  let past: Past = { newestAt: undefined, failures: 0, failedAt: 0 };
  let isKnown = false;
  const turn = createTurn();
  const dueAt = (): number => {
    const newestAt = continuous?.needsSnapshot ? undefined : past.newestAt;
    return nextSnapshotAt({ ...past, newestAt }, everyMs);
  };
  while (!signal.aborted) {
    const isWanted = bell.take();
    const sight = await finder.look();
    const wasOurTurn = turn.isOurs ?? true;
    turn.look(await options.isOurTurn(sight));
    const isOurTurn = isWanted || turn.isOurs;
    if (turn.isOurs !== wasOurTurn)
      log.info("decided", turn.isOurs ? "snapshots are our turn" : "snapshots are another's turn");
    if (isOurTurn) continuous?.compare(sight);
    else await continuous?.stop();
    record?.streamedUntil(continuous?.storedAtMs);
    // What the store holds is asked before each snapshot: somebody else may have taken one.
    const isFirst = !isKnown && past.failures === 0;
    if (isOurTurn && (isFirst || isWanted || dueAt() <= Date.now()))
      past = await attempt(past, options, (newestAt) => {
        isKnown = true;
        past = { ...past, newestAt };
        return isWanted || dueAt() <= Date.now();
      });
    const waitMs = isOurTurn ? dueAt() - Date.now() : lookMs;
    await bell.within(Math.min(lookMs, Math.max(0, waitMs)), signal);
  }
  await continuous?.stop();
}

/** It changes when it was seen twice: a beta that is out of sync for a moment, as after a failover, takes no part from anybody. */
function createTurn() {
  let [isOurs, before]: (boolean | undefined)[] = [];
  return {
    get isOurs() {
      return isOurs;
    },
    look(isIt: boolean): void {
      if (isOurs === undefined || isIt === before) isOurs = isIt;
      before = isIt;
    },
  };
}

/**
 * @param isWanted is told when the newest snapshot in the store was begun.
 * @returns what is known then.
 */
async function attempt(
  past: Past,
  options: ResidentOptions,
  isWanted: (newestAt: number | undefined) => boolean,
): Promise<Past> {
  const { store, signal, record, everyMs, log } = options;
  const startedAt = performance.now();
  const seconds = () => Math.round(performance.now() - startedAt) / 1_000;
  try {
    const newestAt = await findNewest(options);
    record?.backupsAre(newestAt, everyMs);
    if (!isWanted(newestAt)) return { newestAt, failures: 0, failedAt: 0 };
    const manifest = await takeSnapshot({ ...options, keeper: options.continuous });
    const takenAt = Date.parse(manifest.startedAt);
    record?.backedUp(seconds(), bytesOf(manifest));
    record?.backupsAre(takenAt, everyMs);
    log.info("action", `snapshot ${manifest.id} is in ${store.url}`, describe(manifest));
    await tidy(options);
    return { newestAt: takenAt, failures: 0, failedAt: 0 };
  } catch (thrown) {
    if (signal.aborted) return past;
    record?.backedUp(seconds(), undefined);
    const said = isRekindleError(thrown) ? explain(thrown) : messageOf(thrown);
    log.error("error", said, { report: "BackupFailed" });
    return { ...past, failures: past.failures + 1, failedAt: Date.now() };
  }
}

/** The snapshot is there, whatever becomes of the old ones. */
export async function tidy({
  store,
  retention,
  log,
  signal,
}: Pick<ResidentOptions, "store" | "retention" | "log" | "signal">): Promise<void> {
  try {
    await prune(store, await readCatalogue(store, signal), retention, log, signal);
  } catch (thrown) {
    const said = isRekindleError(thrown) ? explain(thrown) : messageOf(thrown);
    if (!signal.aborted) log.warn("error", `old snapshots stay: ${said}`);
  }
}

async function findNewest({ store, signal }: ResidentOptions): Promise<number | undefined> {
  const whole = (await readCatalogue(store, signal)).filter(({ isWhole }) => isWhole);
  return whole.at(-1)?.atMs;
}

export const describe = (manifest: Manifest) => ({
  shards: manifest.shards.length,
  bytes: bytesOf(manifest),
  milliseconds: tookMs(manifest),
});

export function createBell(): Bell {
  let isRung = false;
  let wake = () => {};
  return {
    ring() {
      isRung = true;
      wake();
    },
    nudge: () => wake(),
    take() {
      const wasRung = isRung;
      isRung = false;
      return wasRung;
    },
    within(ms, signal) {
      return new Promise((resolve) => {
        if (isRung || signal.aborted) return resolve();
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        signal.addEventListener("abort", end);
        wake = end;
      });
    },
  };
}
