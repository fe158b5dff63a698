/**
 * When the next snapshot is due. Pure.
 *
 * An interval and no cron expression: the times are the interval's multiples since 1970 (six hours: 0, 6, 12 and 18 o'clock, UTC), so
 * that they are the same after every restart and for every process, and no library for calendars is needed.
 */

const firstRetryMs = 30_000;
const lastRetryMs = 900_000;

export interface Past {
  /** When the newest snapshot in the store was begun, in milliseconds since 1970. */
  readonly newestAt: number | undefined;
  /** Attempts that failed since, and when the last of them ended. */
  readonly failures: number;
  readonly failedAt: number;
}

/** @returns in milliseconds since 1970; what is past is due now. */
export function nextSnapshotAt({ newestAt, failures, failedAt }: Past, everyMs: number): number {
  const due = newestAt === undefined ? 0 : (Math.floor(newestAt / everyMs) + 1) * everyMs;
  if (failures === 0) return due;
  const patienceMs = Math.min(firstRetryMs * 2 ** (failures - 1), lastRetryMs, everyMs);
  return Math.max(due, failedAt + patienceMs);
}
