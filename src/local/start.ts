/**
 * Starts a local cluster with either backend.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checkCounts } from "../cluster/settings.ts";
import { findServer } from "../redis/server.ts";
import { type LocalCluster, overBackend } from "./local-cluster.ts";
import { findPorts } from "./ports.ts";
import { type ProcessNode, runProcesses } from "./processes.ts";

export interface LocalClusterOptions {
  /** Six by default, betas included. */
  readonly nodes?: number;
  /** Betas of each alpha; one by default. */
  readonly replicas?: number;
  readonly backend?: "processes" | "containers";
  /** First port for clients. Without it, the first free ones from 7001 on. */
  readonly port?: number | undefined;
  /** cluster-node-timeout in milliseconds; 5000 by default. */
  readonly nodeTimeoutMs?: number;
  /** Processes: the server's executable. */
  readonly server?: string | undefined;
  /** Processes: a redis.conf of your own. Without one, nodes listen on loopback only and write no snapshots. */
  readonly config?: string | undefined;
  /** Containers: the image; `rekindle:latest` by default. */
  readonly image?: string | undefined;
  /** Containers: the label by which `down` finds them. */
  readonly name?: string | undefined;
  /** Processes: where the nodes' folders go; a new temporary folder by default. They are removed in the end. */
  readonly root?: string | undefined;
  /** Ends the start early; what was started ends, too. */
  readonly signal?: AbortSignal;
  /** Processes: told at every change, for those who keep state. */
  readonly onChange?: (nodes: readonly ProcessNode[]) => void;
}

const defaultPort = 7001;
const noCredentials = { user: undefined, password: undefined };

/**
 * Starts all nodes; they found their cluster by themselves. Wait for it with `waitUntilWhole`.
 *
 * @example await using cluster = await startLocalCluster(); await cluster.waitUntilWhole();
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { nodes = 6, replicas = 1, nodeTimeoutMs = 5_000 } = options;
  checkCounts(nodes, replicas);
  const flags = [
    "--nodes",
    `${nodes}`,
    "--replicas",
    `${replicas}`,
    "--node-timeout",
    `${nodeTimeoutMs}ms`,
  ];
  if (options.backend === "containers") {
    const { runContainers } = await import("./containers.ts");
    const image = options.image ?? "rekindle:latest";
    return overBackend(
      await runContainers({
        count: nodes,
        image,
        name: options.name ?? `${process.pid}`,
        flags,
        signal: options.signal,
      }),
      noCredentials,
    );
  }
  // Each node would say that it is missing; once is enough, and before anything is started.
  await findServer(options.server, process.env.PATH ?? "");
  const ports = await findPorts(nodes, options.port ?? defaultPort, options.port !== undefined);
  const root = options.root ?? mkdtempSync(join(tmpdir(), "rekindle-"));
  const processes = ports.map(
    (port, index): ProcessNode => ({
      name: `node-${index + 1}`,
      port,
      dir: join(root, `node-${index + 1}`),
      identity: undefined,
    }),
  );
  const server = options.server === undefined ? [] : ["--server", absolute(options.server)];
  const backend = runProcesses(processes, {
    root,
    config: options.config && resolve(options.config),
    flags: [...flags, ...server],
    onChange: options.onChange ?? (() => {}),
  });
  options.onChange?.(processes);
  try {
    options.signal?.throwIfAborted();
    await Promise.all(processes.map((node) => backend.start(node.name, true)));
  } catch (thrown) {
    await backend.end();
    throw thrown;
  }
  return overBackend(backend, noCredentials);
}

/** A bare name is searched on the PATH; a path is the caller's, who may be in another folder than the nodes. */
const absolute = (server: string): string => (server.includes("/") ? resolve(server) : server);
