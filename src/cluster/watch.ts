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
  function tell({ kind, reason, ...decision }: Exclude<Plan, { kind: "refuse" }>): void {
    const report = "report" in decision ? decision.report : undefined;
    const write = report === "DataLost" ? log.warn : log.info;
    write("decided", reason, { plan: kind, report });
  }
  /** Short waits are part of every start; one that lasts is worth an operator's look. */
  function sayWaiting(reason: string): void {
    const isRepeated = reason === lastReason;
    if (!isWorthSaying(reason)) return;
    log.info("wait", `waiting: ${reason}`, isRepeated ? { report: "Waiting" } : undefined);
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
      if (decision.kind === "wait") sayWaiting(decision.reason);
      else if (decision.kind === "done" && decision.reason === lastReason) return;
      else if (decision.kind !== "refuse" && isWorthSaying(decision.reason)) tell(decision);
    },
    waiting: sayWaiting,
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
