/**
 * Once, or for as long as the server runs: rounds when the files change, and now and then.
 */
import { explain, isRekindleError, messageOf, RekindleError } from "../errors.ts";
import { createWatcher } from "../watcher.ts";
import type { Figures } from "./around.ts";
import { type Difference, describeDifference } from "./compare.ts";
import { digest } from "./facts.ts";
import { readOwnConfiguration } from "./own-configuration.ts";
import { restartInTurn } from "./restart.ts";
import { openRounds, type Round, type RoundOptions } from "./round.ts";
import { type FilesSeen, watchFiles } from "./watch-files.ts";

export interface ReloadOptions extends RoundOptions {
  readonly figures: Figures;
  /** Restarts the server where that is needed, when it is its turn. */
  readonly restarts: boolean;
  /** Between two looks when all is as it should be. */
  readonly intervalMs: number;
}

/** While something is yet to come; not all nodes at the same moment. */
const pendingMs = 2_000;
const spread = (ms: number): number => ms * (0.8 + 0.4 * Math.random());

/** @throws RekindleError `refused` for an invalid file, `tryAgain` where the server did not take it. */
export async function reloadOnce(options: ReloadOptions): Promise<Round> {
  const watch = watchFiles(() => watchedFiles(options));
  try {
    const { fingerprint } = (await watch.next("", 0)) as FilesSeen;
    return await openRounds(options).run(fingerprint);
  } finally {
    watch.close();
  }
}

export const planOnly = (options: RoundOptions): Promise<Round> => openRounds(options).plan();

/** Runs until the signal. What goes wrong is told, and tried again. */
export async function reloadUntil(signal: AbortSignal, options: ReloadOptions): Promise<void> {
  const { log, figures, memory, intervalMs } = options;
  const soonMs = Math.min(pendingMs, intervalMs);
  const watch = watchFiles(() => watchedFiles(options));
  const rounds = openRounds(options);
  const watcher = createWatcher(log, () => performance.now());
  const say = sayOnce(options);
  let handled = "";
  let refused = "";
  /** A change that is yet to be applied. */
  let owed: FilesSeen | undefined;

  /** @returns how long to wait for a change. */
  async function look(fingerprint: string): Promise<number> {
    if (fingerprint === refused) return intervalMs;
    refused = "";
    const round = await rounds.run(fingerprint, owed?.seenAt);
    if (owed) figures.ended("applied", (performance.now() - owed.seenAt) / 1_000);
    owed = undefined;
    const { restart, drift, waiting } = round.plan;
    figures.state({ isInvalid: false, restartsPending: restart.length, drifted: drift.length });
    say(restart, drift);
    for (const why of waiting) watcher.waiting(why);
    const isRestarted = restart.length > 0 && (await restartFor(round, fingerprint));
    if (isRestarted) return 0;
    return spread(restart.length + waiting.length > 0 ? soonMs : intervalMs);
  }

  async function restartFor(
    { plan, address, access, runId }: Round,
    fingerprint: string,
  ): Promise<boolean> {
    if (!options.restarts) return false;
    const names = plan.restart.map(({ name }) => name).join(" ");
    const once = digest(`${fingerprint} ${names}`);
    if (memory.restartedFor() === once) {
      watcher.waiting(`${names}: a restart did not change it; look at the server's log`);
      return false;
    }
    const why = await restartInTurn({
      ...options,
      address,
      access,
      runId,
      pending: plan.restart,
      isCurrent: () => watch.fingerprint() === fingerprint,
      onEnd: () => memory.markRestart(once),
      signal,
    });
    if (why !== undefined) watcher.waiting(`to be restarted: ${why}`);
    return why === undefined;
  }

  function tellTrouble(thrown: unknown): void {
    if (!isRekindleError(thrown) || thrown.reason !== "refused") {
      watcher.waiting(isRekindleError(thrown) ? explain(thrown) : messageOf(thrown));
      return;
    }
    refused = handled;
    figures.state({ isInvalid: true, restartsPending: 0, drifted: 0 });
    if (owed) figures.ended("refused", (performance.now() - owed.seenAt) / 1_000);
    owed = undefined;
    log.error("error", `the new configuration is refused: ${explain(thrown)}`, {
      report: "ReloadRefused",
    });
  }

  let waitMs = 0;
  try {
    while (!signal.aborted) {
      const seen = await watch.next(handled, waitMs, signal);
      if (signal.aborted) break;
      // The first look is at what there is, not at a change.
      if (seen && handled !== "") owed = seen;
      handled = seen?.fingerprint ?? handled;
      try {
        waitMs = await look(handled);
      } catch (thrown) {
        tellTrouble(thrown);
        waitMs = spread(soonMs);
      }
    }
  } finally {
    watch.close();
  }
}

function watchedFiles({ dir, files }: RoundOptions): readonly string[] {
  try {
    return files(readOwnConfiguration(dir));
  } catch {
    return []; // The server is yet to be started.
  }
}

/** What is left as it is, when that changes. */
function sayOnce({ log, restarts }: ReloadOptions) {
  let said = "";
  return (restart: readonly Difference[], drift: readonly Difference[]): void => {
    const now = [
      ...restart.map(
        (one) => `${describeDifference(one)} ${restarts ? "waits for" : "needs"} a restart`,
      ),
      ...drift.map((one) => `set by hand, and not as the file has it: ${describeDifference(one)}`),
    ].join("; ");
    if (now === said) return;
    said = now;
    if (now !== "")
      log.warn("observed", now, { report: drift.length > 0 ? "Drifted" : "RestartNeeded" });
  };
}

/** For who ran it once: what it did not do. @throws RekindleError `tryAgain`. */
export function requireDone({ plan: { restart, waiting } }: Round): void {
  const left = [...restart.map((one) => `${describeDifference(one)} needs a restart`), ...waiting];
  if (left.length === 0) return;
  throw new RekindleError("tryAgain", left.join("; "), {
    hint: "rekindle sidecar --reload sees to it, one node at a time",
  });
}
