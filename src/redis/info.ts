/** Replies in `name:value` lines (INFO, CLUSTER INFO) as a map. */
import type { ServerVersion } from "./server.ts";
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) values.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return values;
}

/** Which server `INFO server` is of: Valkey calls itself Redis 7.2.4, too. */
export function readServer(info: ReadonlyMap<string, string>): ServerVersion {
  const valkey = info.get("valkey_version");
  return valkey === undefined
    ? { name: "redis", version: info.get("redis_version") ?? "" }
    : { name: "valkey", version: valkey };
}
