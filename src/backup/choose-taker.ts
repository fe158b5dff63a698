/**
 * Which of several sidecars takes the snapshots. Pure.
 *
 * Each one looks at the same servers and knows which of them is its own, so all come to the same answer without a lock: the first by
 * its id of the betas in sync, or of the alphas where there is none. When they see different things for a moment, two may take
 * one: their ids differ, so both are whole. When a server is gone the others see that, and its sidecar's part falls to the next.
 */
import type { PeerView as ClusterPeer } from "../cluster/types.ts";
import type { PeerView as SetPeer } from "../replication/types.ts";

/** @returns the id of the server whose sidecar it is: a node's id in a cluster, a run id elsewhere. */
export function chooseTaker(peers: readonly (ClusterPeer | SetPeer)[]): string | undefined {
  const servers = peers.flatMap(({ seen }) => {
    if (seen.state === "answered") return [{ id: seen.id, inSync: seen.inSync, role: seen.role }];
    if (seen.state === "server") return [{ id: seen.runId, inSync: seen.inSync, role: seen.role }];
    return [];
  });
  const betas = servers.filter(({ inSync }) => inSync);
  const candidates = betas.length > 0 ? betas : servers.filter(({ role }) => role === "alpha");
  return candidates.map(({ id }) => id).sort()[0];
}
