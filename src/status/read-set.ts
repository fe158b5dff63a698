/**
 * Asks all nodes and Sentinels of a set what they are, starting from the nodes that are known.
 */
import { formatEndpoint } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createObserver } from "../replication/observe.ts";
import { isAt } from "../replication/read-sentinels.ts";
import { resolvePeer } from "../replication/sentinels.ts";
import type { PeerView, SentinelView } from "../replication/types.ts";

export interface SetView {
  readonly peers: readonly PeerView[];
  readonly sentinels: readonly SentinelView[];
}

export interface SetReader {
  look(known: readonly Peer[]): Promise<SetView>;
  close(): void;
}

/** @param findSentinels of these nodes. */
export function createSetReader(
  options: ConnectOptions,
  set: string,
  findSentinels: (nodes: readonly Peer[]) => Promise<readonly Peer[]>,
): SetReader {
  const observer = createObserver(options, set);
  return {
    async look(known) {
      let peers = await observer.look(known);
      // From a beta to its alpha, and from there to all others.
      for (let hop = 0; hop < 2; hop++) {
        const others = await findOthers(peers);
        if (others.length > 0) peers = withoutTwins([...peers, ...(await observer.look(others))]);
      }
      const nodes = peers.flatMap(({ name, address }) => (address ? [{ name, address }] : []));
      return { peers, sentinels: await observer.lookAtSentinels(await findSentinels(nodes)) };
    },
    close: observer.close,
  };
}

/** Whom the servers name and nobody has asked yet. */
async function findOthers(peers: readonly PeerView[]): Promise<readonly Peer[]> {
  const named = peers.flatMap(({ seen }) =>
    seen.state === "server" ? [...seen.betas, ...(seen.alphaAt ? [seen.alphaAt] : [])] : [],
  );
  const unknown = new Map(
    named
      .filter((at) => !peers.some((peer) => isAt(peer, at) || peer.name === formatEndpoint(at)))
      .map((at) => [formatEndpoint(at), at]),
  );
  return Promise.all([...unknown].map(([name, at]) => resolvePeer(at, name)));
}

/** One node that was reached at two addresses, as on loopback inside its container: where the others know it, it is. */
function withoutTwins(peers: readonly PeerView[]): readonly PeerView[] {
  const last = new Map(
    peers.flatMap((peer) =>
      peer.seen.state === "server" ? [[peer.seen.runId, peer] as const] : [],
    ),
  );
  return peers.filter(({ seen, address }) => {
    const twin = seen.state === "server" ? last.get(seen.runId) : undefined;
    return twin === undefined || twin.address === address;
  });
}
