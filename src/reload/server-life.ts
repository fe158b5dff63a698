/**
 * Which life of which server this is.
 */
import type { Connection } from "../redis/connection.ts";
import { parseInfo, readServer } from "../redis/info.ts";

export interface ServerLife {
  /** Another one in each life. */
  readonly runId: string;
  readonly version: string;
  /** At the earliest, in milliseconds since 1970: the uptime is told in whole seconds. */
  readonly startedAt: number;
}

export async function readLife(connection: Pick<Connection, "send">): Promise<ServerLife> {
  const [reply] = await connection.send([["INFO", "server"]]);
  const info = parseInfo(String(reply));
  const uptimeMs = Number(info.get("uptime_in_seconds") ?? 0) * 1_000;
  return {
    runId: info.get("run_id") ?? "",
    version: readServer(info).version,
    startedAt: Date.now() - uptimeMs - 1_000,
  };
}
