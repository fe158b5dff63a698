/**
 * `rekindle sidecar --backup`: the snapshots of a cluster or a set are the part of one of its sidecars.
 */
import { busPortDistance } from "../address.ts";
import { chooseTaker } from "../backup/choose-taker.ts";
import type { Sight } from "../backup/find-sources.ts";
import { type BackupSettings, every } from "../backup/settings.ts";
import type { Recorder } from "../metrics/record.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openConnections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import type { Setting } from "../settings.ts";
import { backUpUntil } from "./back-up.ts";

export const sidecarEvery: Setting<number> = { ...every, fallback: "6h" };

const loopback = "127.0.0.1";

/** Until the signal. The server beside it, in the same pod, leads to all others. */
export async function backUpBeside(
  signal: AbortSignal,
  settings: BackupSettings & {
    readonly backup: string;
    readonly every: number;
    readonly address?: string | undefined;
    readonly port: number;
  },
  connect: ConnectOptions,
  record: Recorder,
): Promise<void> {
  const { address = loopback, port, every: everyMs } = settings;
  const own = { ip: address, port, busPort: port + busPortDistance };
  const connections = openConnections(connect);
  /** A node's id, or a run id: as `chooseTaker` knows it. */
  async function findOwnId({ topology }: Sight): Promise<string | undefined> {
    try {
      const [id, info] = await connections.ask(own, [
        ["CLUSTER", "MYID"],
        ["INFO", "server"],
      ]);
      return topology === "cluster" ? String(id) : parseInfo(String(info)).get("run_id");
    } catch {
      return undefined; // Somebody else's turn, then.
    }
  }
  const isOurTurn = async (sight: Sight) => {
    const taker = chooseTaker(sight.peers);
    return taker !== undefined && taker === (await findOwnId(sight));
  };
  const place = {
    url: settings.backup,
    settings,
    connect,
    log: record.log,
    findKnown: async () => [{ name: `${address}:${port}`, address: own }],
  };
  try {
    await backUpUntil(signal, place, everyMs, isOurTurn, record);
  } finally {
    connections.close();
  }
}
