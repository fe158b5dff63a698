/**
 * Which beta should be asked to stand for election, and whether it would be elected.
 */
import { entryOf, type Topology } from "./topology.ts";
import type { Member } from "./types.ts";

/**
 * The beta that has processed most of its alpha's writes; never one in the middle of a full sync, nor one that never had
 * anything from its alpha.
 */
export function bestBeta(betas: readonly Member[]): Member | undefined {
  const usable = betas.filter(({ seen }) => !seen.syncing && (seen.offset > 0 || seen.keys > 0));
  return usable.reduce<Member | undefined>(
    (best, beta) => (best === undefined || beta.seen.offset > best.seen.offset ? beta : best),
    undefined,
  );
}

/**
 * Enough voters know the beta as this alpha's. One asked too early loses its election, and Redis lets it try again only
 * after four node timeouts (`clusterHandleSlaveFailover`: auth_retry_time).
 */
export function canBeElected(topology: Topology, beta: Member, alphaId: string): boolean {
  const voters = topology.answeringAlphas.filter(
    (alpha) => entryOf(alpha, beta.seen.id)?.alphaId === alphaId,
  );
  return voters.length >= topology.majority;
}
