/**
 * Holding an alpha's writes back for a while.
 */
import type { Address } from "../address.ts";
import type { Connections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Reply, ReplyError } from "../redis/resp.ts";
import type { Beta } from "./ask-electors.ts";

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

/** What a drain leaves behind that is killed while it holds writes back, for whoever goes on. */
export interface LeftBehind {
  /** In milliseconds since 1970. */
  readonly heldAtMs: number;
  /** What `min-replicas-to-write` was; undefined where the hold ends by itself. */
  readonly before: string | undefined;
  readonly betas: readonly Beta[];
}

/** Has somebody go on (`take-back.ts`) should this process end, however it ends, before it is dismissed. */
export type HoldGuard = (left: LeftBehind) => Promise<{ dismiss(): void }>;

interface Holder {
  readonly connections: Connections;
  readonly address: Address;
  readonly betas: readonly Beta[];
  readonly guard: HoldGuard;
}

/** Holds writes back, and tells how far they have come, in one transaction: nothing is between the two. */
export async function holdWrites(holder: Holder): Promise<Hold> {
  const { connections, address, betas, guard } = holder;
  const since = performance.now();
  const replies = await connections.ask(address, [
    ["MULTI"],
    ["CLIENT", "PAUSE", holdMs, "WRITE"],
    ["INFO", "replication"],
    ["EXEC"],
  ]);
  const done = replies.at(-1);
  if (!Array.isArray(done)) throw new Error(String(done));
  const [paused, replication] = done as readonly Reply[];
  if (paused instanceof ReplyError) return refuseWrites(holder, since);
  const guarding = await guard({ heldAtMs: Date.now(), before: undefined, betas });
  return {
    target: offsetIn(replication),
    since,
    async release() {
      if (await takeWrites(connections, address, undefined)) guarding.dismiss();
    },
  };
}

const setting = "min-replicas-to-write";

/**
 * Before 6.2 a pause stops everything, this node's change of role too: there writes are refused instead of held back. Nothing of
 * such a server ends by itself but that pause, so that somebody has to see to it.
 */
async function refuseWrites(
  { connections, address, betas, guard }: Holder,
  since: number,
): Promise<Hold> {
  const found = await firstReply(connections, address, ["CONFIG", "GET", setting]);
  const before = Array.isArray(found) ? String(found[1]) : "0";
  const guarding = await guard({ heldAtMs: Date.now(), before, betas });
  const [refused, replication] = await connections.ask(address, [
    ["CONFIG", "SET", setting, 1_000],
    ["INFO", "replication"],
  ]);
  if (refused instanceof ReplyError) {
    guarding.dismiss();
    throw refused;
  }
  return {
    target: offsetIn(replication),
    since,
    async release() {
      if (await takeWrites(connections, address, before)) guarding.dismiss();
    },
  };
}

/** Ends a hold, by what it changed. @returns whether the server did so. */
export async function takeWrites(
  connections: Connections,
  address: Address,
  before: string | undefined,
): Promise<boolean> {
  const command = before === undefined ? ["CLIENT", "UNPAUSE"] : ["CONFIG", "SET", setting, before];
  return (await firstReply(connections, address, command)) === "OK";
}

const offsetIn = (replication: Reply | undefined): number =>
  Number(parseInfo(String(replication)).get("master_repl_offset") ?? 0);
