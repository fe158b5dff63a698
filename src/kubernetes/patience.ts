/**
 * A Role that is made a moment after its Deployment, or a token that is just being renewed, mends itself: a fault counts
 * only when it lasts.
 */
export interface Patience {
  /**
   * @returns whether this fault, by its message, has been there for as long as one is patient; `undefined` is another
   * outcome.
   */
  isOver(fault: Error | undefined): boolean;
}

/** @param now a clock in milliseconds. */
export function createPatience(ms: number, now: () => number): Patience {
  let [message, since] = ["", 0];
  return {
    isOver(fault) {
      if (fault === undefined || fault.message !== message)
        [message, since] = [fault?.message ?? "", now()];
      return fault !== undefined && now() - since >= ms;
    },
  };
}
