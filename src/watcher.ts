/**
 * Says what is seen and decided when it changes, and the reason for waiting again every ten seconds while it lasts.
 */
import type { Log, LogFields } from "./log.ts";

/** One of those that are looked at, in words. */
export interface Sight {
  readonly name: string;
  readonly gist: string;
  /** What makes a change: not what moves all the time. */
  readonly fields: LogFields;
  /** A person must mend it. */
  readonly isTrouble: boolean;
}

export interface Decision {
  readonly kind: string;
  readonly reason: string;
  /** The Event that it is told as, too. */
  readonly report?: string | undefined;
}

export interface Watcher {
  /** @returns whether anything changed since the last look. */
  observed(sights: readonly Sight[]): boolean;
  decided(decision: Decision): void;
  waiting(reason: string): void;
}

const repeatMs = 10_000;

/** @param now a clock in milliseconds. */
export function createWatcher(log: Log, now: () => number): Watcher {
  const seen = new Map<string, string>();
  let [lastReason, lastAt] = ["", Number.NEGATIVE_INFINITY];

  function isWorthSaying(reason: string): boolean {
    if (reason === lastReason && now() - lastAt < repeatMs) return false;
    [lastReason, lastAt] = [reason, now()];
    return true;
  }
  /** Short waits are part of every start; one that lasts is worth an operator's look. */
  function sayWaiting(reason: string): void {
    const isRepeated = reason === lastReason;
    if (!isWorthSaying(reason)) return;
    log.info("wait", `waiting: ${reason}`, isRepeated ? { report: "Waiting" } : undefined);
  }

  return {
    observed(sights) {
      const present = new Set(sights.map(({ name }) => name));
      let isChanged = [...seen.keys()].some((name) => !present.has(name) && seen.delete(name));
      for (const { name, gist, fields, isTrouble } of sights) {
        const said = JSON.stringify(fields);
        if (seen.get(name) === said) continue;
        isChanged = true;
        seen.set(name, said);
        log[isTrouble ? "warn" : "info"]("observed", `${name}: ${gist}`, fields);
      }
      return isChanged;
    },
    decided({ kind, reason, report }) {
      if (kind === "wait") sayWaiting(reason);
      else if (kind === "done" && reason === lastReason) return;
      else if (kind !== "refuse" && isWorthSaying(reason))
        log[report === "DataLost" ? "warn" : "info"]("decided", reason, { plan: kind, report });
    },
    waiting: sayWaiting,
  };
}
