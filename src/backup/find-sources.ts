/**
 * Looks at all servers, starting from those that are known: in a cluster, in a set, or at one alone.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { PeerView as ClusterPeer } from "../cluster/types.ts";
import type { Peer } from "../discovery/discovery.ts";
import { RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import { pauseMs } from "../pace.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openConnections } from "../redis/connections.ts";
import { readMode } from "../redis/read-mode.ts";
import type { PeerView as SetPeer } from "../replication/types.ts";
import type { Manifest } from "../snapshots/manifest.ts";
import { createSetReader } from "../status/read-set.ts";
import { createStatusReader } from "../status/read-status.ts";
import { createWatcher } from "../watcher.ts";
import { type Choice, chooseInCluster, chooseInSet, type Source } from "./choose-sources.ts";

export interface Sight {
  readonly topology: Manifest["topology"];
  readonly peers: readonly (ClusterPeer | SetPeer)[];
  readonly choice: Choice;
}

export interface Found {
  readonly topology: Manifest["topology"];
  readonly sources: readonly Source[];
}

export interface SourceFinder {
  look(): Promise<Sight>;
  /**
   * Looks until every shard has a source, or patience ends.
   *
   * @throws RekindleError that says why there is none.
   */
  find(patienceMs: number, signal?: AbortSignal): Promise<Found>;
  close(): void;
}

const deafMs = 3_000;

/** @param findKnown any node of a cluster or a set will do. */
export function createSourceFinder(
  options: ConnectOptions,
  findKnown: () => Promise<readonly Peer[]>,
  log: Log,
): SourceFinder {
  const connections = openConnections(options);
  const cluster = createStatusReader(options);
  // The servers name each other; Sentinels would have nothing to add.
  const set = createSetReader(options, "", async () => []);
  const watcher = createWatcher(log, () => performance.now());

  /** Who answered last: whoever was named may be the one that is gone now. */
  let remembered: readonly Peer[] = [];

  async function look(): Promise<Sight> {
    const sight = await lookFrom(await findKnown());
    const isLost = findAnswering(sight).length === 0 && remembered.length > 0;
    const found = isLost ? await lookFrom(remembered) : sight;
    const answering = findAnswering(found);
    if (answering.length > 0) remembered = answering;
    return found;
  }
  async function lookFrom(known: readonly Peer[]): Promise<Sight> {
    const ask = async ({ address }: Peer) => address && readMode(connections, address);
    const mode = await Promise.any(known.filter(({ address }) => address).map(ask)).catch(
      () => undefined,
    );
    if (mode === "cluster") {
      const peers = await cluster.look(known);
      return { topology: "cluster", peers, choice: chooseInCluster(peers) };
    }
    const { peers } = await set.look(known);
    const topology = peers.length > 1 ? "replication" : "standalone";
    return { topology, peers, choice: chooseInSet(peers) };
  }

  return {
    look,
    async find(patienceMs, signal) {
      const startedAt = performance.now();
      for (;;) {
        signal?.throwIfAborted();
        const { topology, peers, choice } = await look();
        if (choice.kind === "sources") return { topology, sources: choice.sources };
        const isDenied = peers.some(({ seen }) => seen.state === "denied");
        // Where nobody answers at all, it is the wrong place rather than a failover.
        const isDeaf = peers.every(({ seen }) => seen.state === "silent");
        const waitedMs = performance.now() - startedAt;
        if (waitedMs > (isDeaf ? Math.min(deafMs, patienceMs) : patienceMs) || isDenied)
          throw noSources(choice.reason, isDenied);
        watcher.waiting(choice.reason);
        await pause(pauseMs(waitedMs), undefined, signal && { signal });
      }
    },
    close() {
      connections.close();
      cluster.close();
      set.close();
    },
  };
}

const findAnswering = ({ peers }: Sight): readonly Peer[] =>
  peers.flatMap(({ name, address, seen }) =>
    address && (seen.state === "answered" || seen.state === "server") ? [{ name, address }] : [],
  );

const noSources = (reason: string, isDenied: boolean): RekindleError =>
  isDenied
    ? new RekindleError("configuration", `no snapshot: ${reason}`, {
        hint: "check --user, --password-file and the TLS files",
      })
    : new RekindleError("tryAgain", `no snapshot: ${reason}`, {
        hint: "see what rekindle status says, and try again when all is well",
      });
