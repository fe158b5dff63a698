/**
 * A Redis Cluster of real nodes on this machine.
 */
import { checkCounts } from "../cluster/settings.ts";
import type { Credentials } from "../redis/connection.ts";
import { describeStatus, type Status } from "../status/describe-status.ts";
import { createStatusReader } from "../status/read-status.ts";
import { controlsOf, type LocalServers, type NatMap, reachable } from "./local-servers.ts";
import { type LocalOptions, startBackend } from "./start.ts";

export interface LocalClusterOptions extends LocalOptions {
  /** Six by default, betas included. */
  readonly nodes?: number | undefined;
  /** Betas of each alpha; one by default. */
  readonly replicas?: number | undefined;
  /** cluster-node-timeout in milliseconds; 5000 by default. */
  readonly nodeTimeoutMs?: number | undefined;
}

export interface LocalCluster extends LocalServers<Status> {
  readonly credentials: Credentials;
  /** For clients, where nodes announce addresses that this machine does not reach. */
  readonly natMap: NatMap | undefined;
  /** Where this machine reaches the nodes. */
  readonly seeds: readonly { readonly host: string; readonly port: number }[];
}

const credentials: Credentials = { user: undefined, password: undefined };

/**
 * Starts all nodes; they found their cluster by themselves. Wait for it with `waitUntilWhole`.
 *
 * @example await using cluster = await startLocalCluster(); await cluster.waitUntilWhole();
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { nodes = 6, replicas = 1, nodeTimeoutMs = 5_000 } = options;
  checkCounts(nodes, replicas);
  const counts = ["--nodes", `${nodes}`, "--replicas", `${replicas}`];
  const backend = await startBackend(
    {
      nodes,
      sentinels: 0,
      command: ({ port }, all) => [
        ...["cluster", "--peers", all.nodes, "--port", `${port}`],
        ...[...counts, "--node-timeout", `${nodeTimeoutMs}ms`],
      ],
    },
    options,
  );
  const reader = createStatusReader({ credentials, tls: undefined, deadlineMs: 1_000 });
  const look = async () => describeStatus(await reader.look(backend.list("nodes")));
  return {
    ...controlsOf("cluster", backend, { look, close: reader.close }),
    credentials,
    get nodes() {
      return backend.list("nodes");
    },
    get natMap() {
      return backend.natMap?.();
    },
    get seeds() {
      return reachable(backend, "nodes");
    },
  };
}
