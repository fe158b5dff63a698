/**
 * Asks all nodes of a cluster what they are, starting from those that are known.
 */
import { formatAddress, sameAddress } from "../address.ts";
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
      const seen = await observer.look(known);
      const others = findOthers(seen);
      return [...seen, ...(others.length > 0 ? await observer.look(others) : [])];
    },
    close: observer.close,
  };
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
