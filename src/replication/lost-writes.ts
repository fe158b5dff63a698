/**
 * What an alpha that was cut off took and nobody else has: counted in its own replication stream, from where the new alpha left it.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type ConnectOptions, connect } from "../redis/connection.ts";
import type { Reply } from "../redis/resp.ts";
import type { RunningServer, ServerPeer } from "./types.ts";

/** What is in the stream and no write: keep-alives, messages (the Sentinels' own among them), and the marks around others. */
const noWrites = new Set(["ping", "publish", "spublish", "select", "replconf", "multi", "exec"]);

/** The server sends all that it has at once; then nothing but what is written meanwhile. */
const quietMs = 200;

/**
 * As a beta would, this asks for the stream from where it has it, and hangs up (`masterTryPartialResynchronization`).
 *
 * @returns how many writes; undefined where that is not known any more.
 */
export async function countLostWrites(
  { address, seen }: ServerPeer,
  alpha: Pick<RunningServer, "formerHistory">,
  options: ConnectOptions,
): Promise<number | undefined> {
  const from = alpha.formerHistory.endsAt;
  if (!hasStreamFrom(seen, alpha)) return undefined;
  let [writes, heardAt] = [0, performance.now()];
  const onUnasked = (sent: Reply): void => {
    heardAt = performance.now();
    const name = Array.isArray(sent) ? String(sent[0]).toLowerCase() : "ping";
    if (!noWrites.has(name)) writes++;
  };
  const connection = await connect(address, { ...options, onUnasked });
  try {
    const [reply] = await connection.send([["PSYNC", seen.history, from]]);
    if (!String(reply).startsWith("CONTINUE")) return undefined;
    const endsAt = performance.now() + options.deadlineMs;
    while (performance.now() < Math.min(endsAt, heardAt + quietMs)) await pause(quietMs / 4);
    return writes;
  } finally {
    connection.close();
  }
}

/** Asked for what it does not have, a server would begin a full copy. */
export const hasStreamFrom = (
  old: Pick<RunningServer, "history" | "backlogFrom" | "offset">,
  { formerHistory: { id, endsAt } }: Pick<RunningServer, "formerHistory">,
): boolean =>
  id === old.history &&
  old.backlogFrom > 0 &&
  endsAt >= old.backlogFrom &&
  endsAt <= old.offset + 1;
