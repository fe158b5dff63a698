/**
 * `rekindle replication`: decide whether this node is the alpha or a beta under Sentinel, and become it.
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { discoveryOf } from "../cluster/settings.ts";
import { createLog } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { requireFreePorts } from "../redis/ports.ts";
import { decideRole } from "../replication/boot.ts";
import { readDiskFacts } from "../replication/disk.ts";
import {
  type ReplicationSettings,
  readReplicationSettings,
  replicationSettingDescriptions,
} from "../replication/settings.ts";
import type { HostPort } from "../replication/types.ts";
import type { Flags } from "../settings.ts";
import { version } from "../version.ts";
import {
  becomeWithin,
  endOnSignals,
  finishStart,
  layFoundation,
  openRestorer,
  readOrTell,
  type Start,
} from "./start-server.ts";
import { findSurroundings, type Surroundings } from "./surroundings.ts";

export const descriptions = replicationSettingDescriptions;

/** Does not return where all goes well: the process is the server by then. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  endOnSignals();
  const settings = await readOrTell(readReplicationSettings, flags, environment);
  const log = createLog(settings.logLevel, settings.logFormat);
  const record = openRecord(settings.dir, "replication", log);
  record.log.info("start", `rekindle ${version} replication`, {
    dir: resolve(settings.dir),
    discovery: discoveryOf(settings, environment),
  });
  const around = { ...settings, busPort: undefined, onNewTemplate: "join" } as const;
  const surroundings = await findSurroundings(around, environment, record.log, "replication");
  return becomeWithin(surroundings, environment, record, () =>
    prepare(settings, environment, surroundings),
  );
}

/** Decides this node's role, and writes what the server needs for it. */
async function prepare(
  settings: ReplicationSettings,
  environment: NodeJS.ProcessEnv,
  { discovery, log, onSelf, markAlpha }: Surroundings,
): Promise<Start> {
  const foundation = layFoundation(settings, environment);
  const { files, connect, configurationFile } = foundation;
  const restorer = await openRestorer(settings, foundation, log);
  const { nodes, peerWait, set, minReplicasToWrite, announceHostname: announcedAs } = settings;
  const render = (
    { ip, port }: { readonly ip: string; readonly port: number },
    alpha: HostPort | undefined,
  ) =>
    foundation.renderConfiguration({
      ip,
      port,
      mode: { kind: "replication", alpha, announcedAs, minReplicasToWrite },
    });
  const { address, alpha, isRestored } = await decideRole({
    policy: { nodes, peerWaitMs: peerWait },
    discovery,
    set,
    sentinelPlaces: settings,
    hostname: announcedAs ?? hostname(),
    announcedAs,
    disk: readDiskFacts(files, configurationFile),
    restorer,
    connect,
    log,
    async onSelf(own) {
      // What could be refused is refused before anybody is told that this node is here.
      await render(own, undefined);
      await requireFreePorts(own.ip, [{ port: own.port, flag: "--port" }]);
      onSelf();
    },
    markAlpha,
  });
  if (isRestored) restorer?.commit();
  else restorer?.discard();
  return finishStart(foundation, await render(address, alpha), address, log);
}
