/**
 * Says what is seen and decided when it changes, and the reason for waiting again every ten seconds while it lasts.
 */
import { formatAddress } from "../address.ts";
import type { Log, LogFields } from "../log.ts";
import { countSlots, myselfOf } from "./nodes.ts";
import type { PeerView, Plan } from "./types.ts";

export interface Watcher {
  /** @returns whether anything changed since the last look. */
  observed(peers: readonly PeerView[]): boolean;
  decided(decision: Plan): void;
  waiting(reason: string): void;
}

const repeatMs = 10_000;

export function createWatcher(log: Log, now: () => number): Watcher {
  const seen = new Map<string, string>();
  let [lastReason, lastAt] = ["", Number.NEGATIVE_INFINITY];

  function isWorthSaying(reason: string): boolean {
    if (reason === lastReason && now() - lastAt < repeatMs) return false;
    [lastReason, lastAt] = [reason, now()];
    return true;
  }

  return {
    observed(peers) {
      const present = new Set(peers.map((peer) => peer.name));
      let isChanged = [...seen.keys()].some((name) => !present.has(name) && seen.delete(name));
      for (const peer of peers) {
        const fields = describePeer(peer);
        const said = JSON.stringify(fields);
        if (seen.get(peer.name) === said) continue;
        isChanged = true;
        seen.set(peer.name, said);
        const write = peer.seen.state === "denied" ? log.warn : log.info;
        write("observed", `${peer.name}: ${stateOf(peer)}`, fields);
      }
      return isChanged;
    },
    decided(decision) {
      if (!isWorthSaying(decision.reason)) return;
      if (decision.kind === "wait") log.info("wait", `waiting: ${decision.reason}`);
      else if (decision.kind !== "refuse")
        log.info("decided", decision.reason, { plan: decision.kind });
    },
    waiting(reason) {
      if (isWorthSaying(reason)) log.info("wait", `waiting: ${reason}`);
    },
  };
}

function stateOf({ seen }: PeerView): string {
  return seen.state === "answered" ? `answered as ${seen.role}` : `${seen.state}: ${seen.why}`;
}

/** What matters of a peer; offsets and key counts move all the time and would fill the log. */
export function describePeer({ address, seen }: PeerView): LogFields {
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
