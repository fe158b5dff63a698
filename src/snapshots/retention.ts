/**
 * Which snapshots are kept. Pure.
 */

export interface Retention {
  /** So many of the newest. */
  readonly last?: number | undefined;
  /** The newest one of each of so many hours, days and weeks, counted from the newest snapshot back; those without one do not count. */
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
}

export interface Taken {
  readonly id: string;
  /** When it was begun, in milliseconds since 1970. */
  readonly atMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** The first day of 1970 was a Thursday; weeks begin with Mondays. */
const toMondayMs = 3 * dayMs;

/**
 * The newest is kept whatever the rules say, and without rules all are.
 *
 * @returns the ids of those that may go, the oldest first.
 */
export function chooseExpired<T extends Taken>(
  snapshots: readonly T[],
  rules: Retention,
): readonly T[] {
  if (Object.values(rules).every((rule) => rule === undefined)) return [];
  const newestFirst = [...snapshots].sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
  const kept = new Set([
    ...newestFirst.slice(0, Math.max(1, rules.last ?? 0)),
    ...newestOfEach(newestFirst, (ms) => Math.floor(ms / hourMs), rules.hourly),
    ...newestOfEach(newestFirst, (ms) => Math.floor(ms / dayMs), rules.daily),
    ...newestOfEach(newestFirst, (ms) => Math.floor((ms + toMondayMs) / (7 * dayMs)), rules.weekly),
  ]);
  return newestFirst.filter((one) => !kept.has(one)).reverse();
}

function newestOfEach<T extends Taken>(
  newestFirst: readonly T[],
  spanOf: (ms: number) => number,
  count = 0,
): readonly T[] {
  const newest = new Map<number, T>();
  for (const one of newestFirst) {
    const span = spanOf(one.atMs);
    if (!newest.has(span)) newest.set(span, one);
  }
  return [...newest.values()].slice(0, count);
}
