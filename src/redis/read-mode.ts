/**
 * Whether a server is a cluster's node, as it says itself.
 */
import type { Address } from "../address.ts";
import type { Connections } from "./connections.ts";
import { parseInfo } from "./info.ts";

/** @returns `cluster`, `standalone` or `sentinel`. @throws what `Connections.ask` throws where it does not answer. */
export async function readMode(
  connections: Connections,
  address: Address,
): Promise<string | undefined> {
  const [reply] = await connections.ask(address, [["INFO", "server"]]);
  const info = parseInfo(String(reply));
  // Valkey calls it server_mode.
  return info.get("redis_mode") ?? info.get("server_mode");
}
