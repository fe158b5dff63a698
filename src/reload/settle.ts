/**
 * When a change of files is complete. Pure.
 */

/** A ConfigMap appears whole, by one rename. */
const atomicMs = 50;
/** An editor writes in parts. */
const plainMs = 300;
/** Whoever changes a file again and again is not done yet. */
const busyMs = 2_000;

/** A change of the files: parts that are written one after the other are one. */
export interface Change {
  readonly fingerprint: string;
  readonly seenAt: number;
  /** An earlier change is so little ago that a next one is to be expected. */
  readonly isOneOfMany: boolean;
  /** What was there when the first look was taken: nothing has changed yet. */
  readonly isFirst: boolean;
}

/** Whoever has changed the files twice within this time will do so again. */
const windowMs = 3_000;

/** @param last the change before, handled or not. */
export function nextChange(last: Change | undefined, fingerprint: string, now: number): Change {
  const sinceMs = last === undefined ? Number.POSITIVE_INFINITY : now - last.seenAt;
  const isPart = sinceMs < plainMs;
  const isOneOfMany = isPart
    ? last?.isOneOfMany === true
    : last?.isFirst === false && sinceMs < windowMs;
  return { fingerprint, seenAt: now, isOneOfMany, isFirst: last === undefined };
}

/** When the change is complete, if nothing changes until then. */
export const settledAt = ({ seenAt, isOneOfMany }: Change, isAtomic: boolean): number =>
  seenAt + (isOneOfMany ? busyMs : isAtomic ? atomicMs : plainMs);
