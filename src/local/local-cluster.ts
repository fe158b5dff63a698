/**
 * A cluster of real nodes on this machine, for tests and for trying things out.
 */
import pRetry, { AbortError } from "p-retry";
import type { Address } from "../address.ts";
import type { PeerView } from "../cluster/types.ts";
import { RekindleError } from "../errors.ts";
import type { Credentials } from "../redis/connection.ts";
import { describeStatus, type Status } from "../status/describe-status.ts";
import { createStatusReader } from "../status/read-status.ts";

export interface LocalNode {
  readonly name: string;
  /** Where this machine reaches it. */
  readonly address: Address;
  /** Its data folder; undefined in a container. */
  readonly dir: string | undefined;
  /** Undefined while it does not run, and in a container. */
  readonly pid: number | undefined;
}

/** What a backend does with its nodes. */
export interface Backend {
  nodes(): readonly LocalNode[];
  /** Starts a node that does not run: the real entrypoint, with its old data or an emptied folder. */
  start(name: string, emptied: boolean): Promise<void>;
  /** Ends a node at once (`SIGKILL`) or lets it end by itself (`SIGTERM`). */
  stop(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Nodes that should run and have ended, one sentence each: no waiting brings them back. */
  failures(): Promise<readonly string[]>;
  /** Announced addresses to those that this machine reaches; undefined where they are the same. */
  natMap?(): LocalCluster["natMap"];
  /** Ends all nodes and takes away what they left. */
  end(): Promise<void>;
}

export interface WaitOptions {
  readonly deadlineMs?: number;
  readonly onProgress?: (status: Status) => void;
  readonly signal?: AbortSignal;
}

export interface LocalCluster extends AsyncDisposable {
  readonly nodes: readonly LocalNode[];
  readonly credentials: Credentials;
  /** For ioredis' `Cluster`, where nodes announce addresses that this machine does not reach. */
  readonly natMap:
    | Readonly<Record<string, { readonly host: string; readonly port: number }>>
    | undefined;
  /** Hosts and ports as ioredis' `Cluster` takes them. */
  readonly seeds: readonly { readonly host: string; readonly port: number }[];
  status(): Promise<Status>;
  /** @throws RekindleError when a node ends by itself, or after the deadline (60 s), with what is wrong in words. */
  waitUntilWhole(options?: WaitOptions): Promise<Status>;
  startNode(name: string, options?: { readonly emptied?: boolean }): Promise<void>;
  killNode(name: string): Promise<void>;
  stopNode(name: string): Promise<void>;
  end(): Promise<void>;
}

/** The cluster over its backend. */
export function overBackend(backend: Backend, credentials: Credentials): LocalCluster {
  const reader = createStatusReader({ credentials, tls: undefined, deadlineMs: 1_000 });
  const status = async (): Promise<Status> => describeStatus(await lookAtAll());

  async function lookAtAll(): Promise<readonly PeerView[]> {
    return reader.look(backend.nodes().map(({ name, address }) => ({ name, address })));
  }

  let ending: Promise<void> | undefined;
  function end(): Promise<void> {
    reader.close();
    ending ??= backend.end();
    return ending;
  }

  return {
    get nodes() {
      return backend.nodes();
    },
    credentials,
    get natMap() {
      return backend.natMap?.();
    },
    get seeds() {
      return backend.nodes().map(({ address }) => ({ host: address.ip, port: address.port }));
    },
    status,
    waitUntilWhole: (options = {}) => waitUntilWhole(status, () => backend.failures(), options),
    startNode: (name, options = {}) => backend.start(name, options.emptied ?? false),
    killNode: (name) => backend.stop(name, "SIGKILL"),
    stopNode: (name) => backend.stop(name, "SIGTERM"),
    end,
    [Symbol.asyncDispose]: end,
  };
}

async function waitUntilWhole(
  look: () => Promise<Status>,
  failures: () => Promise<readonly string[]>,
  { deadlineMs = 60_000, onProgress, signal }: WaitOptions,
): Promise<Status> {
  const attempt = async (): Promise<Status> => {
    const status = await look();
    onProgress?.(status);
    if (status.state === "whole") return status;
    const [failure] = await failures();
    if (failure !== undefined) {
      throw new AbortError(
        new RekindleError("tryAgain", failure, { hint: "mend that and try again" }),
      );
    }
    const problems = status.problems.join("; ");
    throw new RekindleError(
      "tryAgain",
      `the cluster is not whole after ${deadlineMs} ms: ${problems}`,
      {
        hint: "try again, or give it more time",
      },
    );
  };
  return pRetry(attempt, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 50,
    factor: 1,
    maxRetryTime: deadlineMs,
    ...(signal && { signal }),
  });
}
