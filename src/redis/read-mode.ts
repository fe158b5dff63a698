/**
 * What a server is part of, as it says itself.
 */
import type { Address } from "../address.ts";
import type { Connections } from "./connections.ts";
import { parseInfo } from "./info.ts";

/** `set`: one alpha with betas under Sentinel; `alone`: nobody copies it, and nobody is to. */
export type Mode = "cluster" | "set" | "alone" | "sentinel";

/** @throws what `Connections.ask` throws where it does not answer. */
export async function readMode(connections: Connections, address: Address): Promise<Mode> {
  const [server, replication, announced] = await connections.ask(address, [
    ["INFO", "server"],
    ["INFO", "replication"],
    ["CONFIG", "GET", "replica-announce-ip"],
  ]);
  const info = parseInfo(String(server));
  // Valkey calls it server_mode.
  const mode = info.get("redis_mode") ?? info.get("server_mode");
  if (mode === "cluster" || mode === "sentinel") return mode;
  const isAnnounced = !Array.isArray(announced) || announced[1] !== "";
  return isAnnounced || hasOthers(parseInfo(String(replication))) ? "set" : "alone";
}

/** A backup follows a server as a beta does, at a port that no server can have. */
const hasOthers = (info: ReadonlyMap<string, string>): boolean =>
  info.get("role") !== "master" ||
  [...info].some(([name, value]) => {
    const port = Number(/,port=(\d+),/.exec(value)?.[1]);
    return /^slave\d+$/.test(name) && port >= 1 && port <= 65_535;
  });
