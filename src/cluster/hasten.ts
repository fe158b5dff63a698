/**
 * A shorter wait for `cluster_state:ok` after a late founding.
 *
 * A master that was up for more than two seconds without slots holds itself in `fail` for a node timeout after it first sees
 * a majority (`clusterUpdateState`, 6.0 to 8.6). A short timeout for that moment makes it half a second. Younger masters do
 * not need it: they look at the majority only after those two seconds.
 */
import type { Member, Policy, Step } from "./types.ts";

/** Redis' least rejoin delay (CLUSTER_MIN_REJOIN_DELAY). */
const shortNodeTimeoutMs = 500;

/** INFO gives whole seconds of the clock: two of them may be little more than one. */
const youngSeconds = 2;

export function hastenAlphas(policy: Policy, alphas: readonly Member[]): readonly Step[] {
  if (policy.nodeTimeoutMs <= shortNodeTimeoutMs) return [];
  return alphas.flatMap((at): Step[] =>
    !at.seen.clusterOk &&
    at.seen.uptimeSeconds >= youngSeconds &&
    at.seen.nodeTimeoutMs === policy.nodeTimeoutMs
      ? [{ kind: "node-timeout", at, ms: shortNodeTimeoutMs }]
      : [],
  );
}

export const isHastened = (policy: Policy, { seen }: Member): boolean =>
  seen.nodeTimeoutMs === shortNodeTimeoutMs && policy.nodeTimeoutMs !== shortNodeTimeoutMs;

/** A coordinator that was killed may have left alphas with the short timeout; any boot sets it back. */
export function restoreNodeTimeouts(policy: Policy, members: readonly Member[]): readonly Step[] {
  return members
    .filter((member) => member.seen.clusterOk && isHastened(policy, member))
    .map((at) => ({ kind: "node-timeout", at, ms: policy.nodeTimeoutMs }));
}
