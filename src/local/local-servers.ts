/**
 * Real servers on this machine, for tests and for trying things out: what a backend does with them, and what every topology
 * offers of that.
 */
import pRetry, { AbortError } from "p-retry";
import { type Address, formatAddress } from "../address.ts";
import { RekindleError } from "../errors.ts";
import type { Shown, Status } from "../status/describe-status.ts";
import type { Kind } from "./members.ts";

export interface LocalNode {
  readonly name: string;
  /** Where this machine reaches it. */
  readonly address: Address;
  /** Its data folder; undefined in a container. */
  readonly dir: string | undefined;
  /** Undefined while it does not run, and in a container. */
  readonly pid: number | undefined;
}

/** Announced addresses, `ip:port`, to those that this machine reaches; as ioredis takes it. */
export type NatMap = Readonly<Record<string, { readonly host: string; readonly port: number }>>;

/** What a backend does with its members. */
export interface Backend {
  list(kind: Kind): readonly LocalNode[];
  /** Starts one that does not run: the real entrypoint, with its old data or an emptied folder. */
  start(name: string, emptied: boolean): Promise<void>;
  /** Ends one at once (`SIGKILL`) or lets it end by itself (`SIGTERM`). */
  stop(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Members that should run and have ended, one sentence each: no waiting brings them back. */
  failures(): Promise<readonly string[]>;
  /** Undefined where announced addresses are those that this machine reaches. */
  natMap?(): NatMap;
  /** Ends all members and takes away what they left. */
  end(): Promise<void>;
}

export interface WaitOptions<S = Status> {
  readonly deadlineMs?: number;
  readonly onProgress?: (status: S) => void;
  readonly signal?: AbortSignal;
}

/** What can be done with them, whatever they are. */
export interface LocalServers<S> extends AsyncDisposable {
  readonly nodes: readonly LocalNode[];
  status(): Promise<S>;
  /** @throws RekindleError when one ends by itself, or after the deadline (60 s), with what is wrong in words. */
  waitUntilWhole(options?: WaitOptions<S>): Promise<S>;
  startNode(name: string, options?: { readonly emptied?: boolean }): Promise<void>;
  killNode(name: string): Promise<void>;
  stopNode(name: string): Promise<void>;
  end(): Promise<void>;
}

/** Where this machine reaches them, with an engine elsewhere or in a machine of its own, too. */
export function reachable(
  backend: Backend,
  kind: Kind,
): readonly { readonly host: string; readonly port: number }[] {
  const natMap = backend.natMap?.() ?? {};
  return backend.list(kind).map(({ address }) => {
    const { ip, port } = address;
    return natMap[formatAddress(address)] ?? { host: ip, port };
  });
}

/** @param reader closed with the servers; `what` they are, in words. */
export function controlsOf<S extends Shown>(
  what: string,
  backend: Backend,
  reader: { look(): Promise<S>; close(): void },
): Omit<LocalServers<S>, "nodes"> {
  let ending: Promise<void> | undefined;
  function end(): Promise<void> {
    reader.close();
    ending ??= backend.end();
    return ending;
  }
  return {
    status: reader.look,
    waitUntilWhole: (options = {}) =>
      waitUntil(`the ${what} is not whole`, reader.look, ({ state }) => state === "whole", {
        ...options,
        failures: backend.failures,
      }),
    startNode: (name, options = {}) => backend.start(name, options.emptied ?? false),
    killNode: (name) => backend.stop(name, "SIGKILL"),
    stopNode: (name) => backend.stop(name, "SIGTERM"),
    end,
    [Symbol.asyncDispose]: end,
  };
}

/** @param complaint said after the deadline, before what is wrong. */
export async function waitUntil<S extends Shown>(
  complaint: string,
  look: () => Promise<S>,
  holds: (status: S) => boolean,
  options: WaitOptions<S> & { readonly failures?: Backend["failures"] },
): Promise<S> {
  const { deadlineMs = 60_000, onProgress, signal, failures } = options;
  const attempt = async (): Promise<S> => {
    const status = await look();
    onProgress?.(status);
    if (holds(status)) return status;
    const [failure] = (await failures?.()) ?? [];
    if (failure !== undefined) {
      throw new AbortError(
        new RekindleError("tryAgain", failure, { hint: "mend that and try again" }),
      );
    }
    const problems = status.problems.join("; ");
    throw new RekindleError("tryAgain", `${complaint} after ${deadlineMs} ms: ${problems}`, {
      hint: "try again, or give it more time",
    });
  };
  return pRetry(attempt, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 50,
    factor: 1,
    maxRetryTime: deadlineMs,
    ...(signal && { signal }),
  });
}
