/**
 * How long an old password is taken after no node uses it any more: clients may have it.
 */
export interface Overlap {
  /** @param of what is given up. @returns how long it is taken yet, in words; undefined when the time is over. */
  whyNotOver(of: string): string | undefined;
  /** Somebody uses it: the time has not begun. */
  reset(): void;
}

export function createOverlap(overlapMs: number): Overlap {
  let unused: { readonly of: string; readonly since: number } | undefined;
  return {
    whyNotOver(of) {
      if (unused?.of !== of) unused = { of, since: performance.now() };
      const leftMs = unused.since + overlapMs - performance.now();
      return leftMs > 0 ? "clients may still have it" : undefined;
    },
    reset() {
      unused = undefined;
    },
  };
}
