/**
 * One alpha and its betas under Sentinel, of real servers on this machine.
 */
import { RekindleError } from "../errors.ts";
import { describeSet, type SetStatus } from "../status/describe-set.ts";
import { createSetReader } from "../status/read-set.ts";
import {
  controlsOf,
  type LocalNode,
  type LocalServers,
  type NatMap,
  reachable,
} from "./local-servers.ts";
import { localSetName } from "./members.ts";
import { type LocalOptions, startBackend } from "./start.ts";

export interface LocalSetOptions extends LocalOptions {
  /** Three by default, the alpha included. */
  readonly nodes?: number | undefined;
  /** Three by default. */
  readonly sentinels?: number | undefined;
  /** How long the alpha may be silent before a Sentinel calls it down, in milliseconds; 1000 by default. */
  readonly downAfterMs?: number | undefined;
}

/** Nodes and Sentinels alike are started, killed and stopped by their names. */
export interface LocalSet extends LocalServers<SetStatus> {
  readonly sentinels: readonly LocalNode[];
  /** What ioredis takes: `new Redis(set.clientOptions)`. */
  readonly clientOptions: {
    readonly sentinels: { host: string; port: number }[];
    readonly name: string;
    readonly natMap?: NatMap;
  };
}

/**
 * Starts all nodes and Sentinels; they find out by themselves who is the alpha. Wait for it with `waitUntilWhole`.
 *
 * @example await using set = await startLocalSet(); await set.waitUntilWhole();
 */
export async function startLocalSet(options: LocalSetOptions = {}): Promise<LocalSet> {
  const { nodes = 3, sentinels = 3, downAfterMs = 1_000 } = options;
  checkSet(nodes, sentinels);
  const election = [
    ...["--count", `${sentinels}`, "--down-after", `${downAfterMs}ms`],
    // One whose votes were split is begun anew after twice this time.
    ...["--failover-timeout", "5s"],
  ];
  const backend = await startBackend(
    {
      nodes,
      sentinels,
      command({ port, isSentinel }, all) {
        const places = ["--peers", all.nodes, "--sentinels", all.sentinels, "--set", localSetName];
        return isSentinel
          ? ["sentinel", ...places, "--sentinel-port", `${port}`, ...election]
          : ["replication", ...places, "--port", `${port}`, "--nodes", `${nodes}`];
      },
    },
    options,
  );
  const connect = {
    credentials: { user: undefined, password: undefined },
    tls: undefined,
    deadlineMs: 1_000,
  };
  const reader = createSetReader(connect, localSetName, async () => backend.list("sentinels"));
  const look = async () => describeSet(await reader.look(backend.list("nodes")), localSetName);
  return {
    ...controlsOf("set", backend, { look, close: reader.close }),
    get nodes() {
      return backend.list("nodes");
    },
    get sentinels() {
      return backend.list("sentinels");
    },
    get clientOptions() {
      const natMap = backend.natMap?.();
      return {
        sentinels: [...reachable(backend, "sentinels")],
        name: localSetName,
        ...(natMap && { natMap }),
      };
    },
  };
}

/** @throws RekindleError where the alpha would have nobody to take over from it. */
function checkSet(nodes: number, sentinels: number): void {
  if (nodes < 2 || nodes > 100) {
    throw new RekindleError("configuration", `${nodes} nodes do not make a set`, {
      hint: "choose 2 to 100, the alpha included, with --nodes",
    });
  }
  if (sentinels < 1 || sentinels > 100) {
    throw new RekindleError("configuration", `${sentinels} Sentinels do not make a set`, {
      hint: "choose 1 to 100; three bear the loss of one",
    });
  }
}
