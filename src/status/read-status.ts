/**
 * Asks all nodes of a cluster what they are, starting from those that are known.
 */
import { formatAddress, sameAddress } from "../address.ts";
import { myselfOf } from "../cluster/nodes.ts";
import { createObserver } from "../cluster/observe.ts";
import type { PeerView } from "../cluster/types.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { ConnectOptions } from "../redis/connection.ts";

export interface StatusReader {
  /** The known nodes, and all that their tables name. */
  look(known: readonly Peer[]): Promise<readonly PeerView[]>;
  close(): void;
}

export function createStatusReader(options: ConnectOptions): StatusReader {
  const observer = createObserver(options);
  return {
    async look(known) {
      const seen = (await observer.look(known)).map(atItsOwnAddress);
      const others = findOthers(seen);
      return [...seen, ...(others.length > 0 ? await observer.look(others) : [])];
    },
    close: observer.close,
  };
}

/**
 * Where the node says it is: inside its container it was reached at 127.0.0.1, and the others know it at another address. One
 * that never met anybody does not know.
 */
function atItsOwnAddress(peer: PeerView): PeerView {
  if (peer.address === undefined || peer.seen.state !== "answered") return peer;
  const own = myselfOf(peer.seen.table)?.address;
  if (own === undefined || sameAddress(own, peer.address)) return peer;
  const isNamedByAddress = peer.name === formatAddress(peer.address);
  return { ...peer, address: own, name: isNamedByAddress ? formatAddress(own) : peer.name };
}

function findOthers(seen: readonly PeerView[]): readonly Peer[] {
  const found = new Map<string, Peer>();
  for (const { seen: answer } of seen) {
    if (answer.state !== "answered") continue;
    for (const { address, flags } of answer.table.nodes) {
      if (address === undefined || flags.includes("myself")) continue;
      if (seen.some((peer) => peer.address && sameAddress(peer.address, address))) continue;
      found.set(formatAddress(address), { name: formatAddress(address), address });
    }
  }
  return [...found.values()];
}
