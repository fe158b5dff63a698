/**
 * The Sentinel's coordinated failover (Valkey 9: `SENTINEL FAILOVER <set> COORDINATED`), watched from the alpha that it replaces.
 *
 * The alpha holds its writes back, waits until the chosen beta has everything, becomes its beta, and then has it take over
 * (`failoverCommand`); the Sentinel ends the old connections and lets the writes go again. It goes on to its end without us. What
 * does not get on is ended here while nothing is lost by that: the alpha has not stepped down as long as its replication id is
 * the same, since both ways back to being an alpha change it (`replicationUnsetPrimary`).
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Address } from "../address.ts";
import type { Connections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { firstReply } from "./hold-writes.ts";
import type { HostPort } from "./types.ts";

export type Coordinated =
  /** This node is a beta of the new alpha. */
  | { readonly kind: "followed"; readonly heir: HostPort }
  /** Nothing came of it, and this node is the alpha as before. */
  | { readonly kind: "off"; readonly why: string }
  /** This node had stepped down and is an alpha again: a beta may be one, too. */
  | { readonly kind: "returned" };

/** Writes are held back for so long at most while no beta has everything, and so long is waited for the Sentinels' election. */
const patienceMs = 2_500;
const lookAgainMs = 50;

/** @param replicationId the alpha's, from before it was asked for. */
export async function watchCoordinated(
  connections: Connections,
  address: Address,
  replicationId: string,
  leftMs: () => number,
): Promise<Coordinated> {
  const startedAt = performance.now();
  let heldSince: number | undefined;
  for (;;) {
    const own = readState(await firstReply(connections, address, ["INFO", "replication"]));
    if (own.alpha && own.state === "no-failover") return { kind: "followed", heir: own.alpha };
    if (own.isAlpha && own.replicationId !== replicationId) return { kind: "returned" };
    if (own.state === "waiting-for-sync") heldSince ??= performance.now();
    const isStuck = performance.now() - (heldSince ?? startedAt) > patienceMs;
    if (own.isAlpha && (isStuck || leftMs() <= 0)) return end(connections, address, replicationId);
    // Once it has stepped down, only the other side can tell how it ends.
    if (leftMs() <= 0) return { kind: "off", why: "this node stepped down, and no beta took over" };
    await pause(lookAgainMs);
  }
}

async function end(
  connections: Connections,
  address: Address,
  replicationId: string,
): Promise<Coordinated> {
  const replies = await connections.ask(address, [
    ["MULTI"],
    ["FAILOVER", "ABORT"],
    ["INFO", "replication"],
    ["EXEC"],
  ]);
  const done = replies.at(-1);
  const own = readState(Array.isArray(done) ? done[1] : undefined);
  if (own.alpha) return { kind: "followed", heir: own.alpha };
  if (own.replicationId !== replicationId) return { kind: "returned" };
  await firstReply(connections, address, ["CLIENT", "UNPAUSE"]);
  return { kind: "off", why: "the Sentinels' coordinated failover does not get on" };
}

/** Nothing is known of a server that does not answer, as when its clients were just cut off. */
function readState(reply: unknown) {
  const info = parseInfo(typeof reply === "string" ? reply : "");
  const role = info.get("role");
  return {
    isAlpha: role === "master",
    alpha:
      role === "slave"
        ? { host: info.get("master_host") ?? "", port: Number(info.get("master_port")) }
        : undefined,
    state: info.get("master_failover_state"),
    replicationId: info.get("master_replid"),
  };
}
