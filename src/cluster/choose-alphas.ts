/**
 * Which alpha a node without one should copy.
 */
import type { Shard } from "./shards.ts";
import { canComeBack, isGoneOrFailed, type Topology } from "./topology.ts";

/**
 * Rule 7: every name gets an alpha: orphans first, then those with the fewest betas. All newcomers compute the same list, so
 * that two who join at once pick different alphas.
 */
export function chooseAlphas(
  topology: Topology,
  names: readonly string[],
): ReadonlyMap<string, string> {
  const counts = new Map(
    topology.shards.flatMap((shard) =>
      shard.alpha ? [[shard.alphaId, countBetas(topology, shard)] as const] : [],
    ),
  );
  const choices = new Map<string, string>();
  for (const name of names) {
    const least = Math.min(...counts.values());
    const chosen = [...counts].find(([, count]) => count === least)?.[0];
    if (chosen === undefined) break;
    choices.set(name, chosen);
    counts.set(chosen, least + 1);
  }
  return choices;
}

/** Betas that answer, and those that may come back. */
export function countBetas(topology: Topology, shard: Shard): number {
  const absent = shard.absentBetas.filter(
    (id) => canComeBack(topology, id) || !isGoneOrFailed(topology, id),
  );
  return shard.betas.length + absent.length;
}
