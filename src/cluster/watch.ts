/**
 * A cluster's nodes, as the log tells of them.
 */
import { formatAddress } from "../address.ts";
import type { LogFields } from "../log.ts";
import type { Sight } from "../watcher.ts";
import { countSlots, myselfOf } from "./nodes.ts";
import type { PeerView } from "./types.ts";

export const sightsOf = (peers: readonly PeerView[]): readonly Sight[] =>
  peers.map((peer) => ({
    name: peer.name,
    gist: stateOf(peer),
    fields: describePeer(peer),
    isTrouble: peer.seen.state === "denied",
  }));

function stateOf({ seen }: PeerView): string {
  return seen.state === "answered" ? `answered as ${seen.role}` : `${seen.state}: ${seen.why}`;
}

/** What matters of a peer; offsets and key counts move all the time and would fill the log. */
function describePeer({ address, seen }: PeerView): LogFields {
  const at = { address: address && formatAddress(address), state: seen.state };
  if (seen.state !== "answered") return { ...at, why: seen.why };
  const own = myselfOf(seen.table);
  return {
    ...at,
    id: seen.id,
    role: seen.role,
    alpha: own?.alphaId,
    slots: countSlots(own?.slots ?? []),
    epoch: own?.epoch,
    knows: seen.table.nodes.length,
    clusterOk: seen.clusterOk,
  };
}
