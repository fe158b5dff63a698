/**
 * Holding an alpha's writes back for a while.
 */
import type { Address } from "../address.ts";
import type { Connections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Reply, ReplyError } from "../redis/resp.ts";

/** Writes wait this long at most. */
const holdMs = 10_000;

/** The reply, or undefined where nobody answers. */
export async function firstReply(
  connections: Connections,
  at: Address,
  command: readonly (string | number)[],
): Promise<Reply | undefined> {
  const replies = await connections.ask(at, [command]).catch(() => []);
  return replies[0];
}

export interface Hold {
  /** How far the writes had come: whoever has processed as much has all. */
  readonly target: number;
  /** Since when they have been held back, by `performance.now`. */
  readonly since: number;
  release(): Promise<void>;
}

export const isEarly = ({ since }: Hold, share: number): boolean =>
  performance.now() - since < holdMs * share;

/** Holds writes back, and tells how far they have come, in one transaction: nothing is between the two. */
export async function holdWrites(connections: Connections, address: Address): Promise<Hold> {
  const since = performance.now();
  const replies = await connections.ask(address, [
    ["MULTI"],
    ["CLIENT", "PAUSE", holdMs, "WRITE"],
    ["INFO", "replication"],
    ["EXEC"],
  ]);
  const done = replies.at(-1);
  if (!Array.isArray(done)) throw new Error(`the writes cannot be held back: ${String(done)}`);
  const [paused, replication] = done as readonly Reply[];
  if (paused instanceof ReplyError) return refuseWrites(connections, address, since);
  return {
    target: offsetIn(replication),
    since,
    release: async () => void (await firstReply(connections, address, ["CLIENT", "UNPAUSE"])),
  };
}

/** Before 6.2 a pause stops everything, this node's change of role too: there writes are refused instead of held back. */
async function refuseWrites(
  connections: Connections,
  address: Address,
  since: number,
): Promise<Hold> {
  const name = "min-replicas-to-write";
  const before = await firstReply(connections, address, ["CONFIG", "GET", name]);
  const [refused, replication] = await connections.ask(address, [
    ["CONFIG", "SET", name, 1_000],
    ["INFO", "replication"],
  ]);
  if (refused instanceof ReplyError) throw refused;
  const value = Array.isArray(before) ? String(before[1]) : "0";
  return {
    target: offsetIn(replication),
    since,
    release: async () =>
      void (await firstReply(connections, address, ["CONFIG", "SET", name, value])),
  };
}

const offsetIn = (replication: Reply | undefined): number =>
  Number(parseInfo(String(replication)).get("master_repl_offset") ?? 0);
