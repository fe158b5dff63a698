/**
 * `rekindle cluster`: decide what this node must be, and become it.
 */
import { join, resolve } from "node:path";
import { decideDestiny } from "../cluster/boot.ts";
import { blankId } from "../cluster/build-table.ts";
import { nodesFile } from "../cluster/disk.ts";
import { type NodeTable, renderNodesConf } from "../cluster/nodes.ts";
import {
  type ClusterSettings,
  clusterSettingDescriptions,
  discoveryOf,
  readClusterSettings,
} from "../cluster/settings.ts";
import { drawNodeId, writeWhole } from "../files.ts";
import { createLog } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { requireFreePorts } from "../redis/ports.ts";
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

export const descriptions = clusterSettingDescriptions;

/** Does not return where all goes well: the process is the server by then. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  endOnSignals();
  const settings = await readOrTell(readClusterSettings, flags, environment);
  const log = createLog(settings.logLevel, settings.logFormat);
  const record = openRecord(settings.dir, "cluster", log);
  record.log.info("start", `rekindle ${version} cluster`, {
    dir: resolve(settings.dir),
    discovery: discoveryOf(settings, environment),
  });
  const surroundings = await findSurroundings(settings, environment, record.log, "cluster");
  return becomeWithin(surroundings, environment, record, () =>
    prepare(settings, environment, surroundings),
  );
}

/** Decides what this node must be, and writes what the server needs for that. */
async function prepare(
  settings: ClusterSettings,
  environment: NodeJS.ProcessEnv,
  { discovery, lock, log, onSelf }: Surroundings,
): Promise<Start> {
  const foundation = layFoundation(settings, environment);
  const { files, connect } = foundation;
  const restorer = await openRestorer(settings, foundation, log);
  let configuration = "";
  const destiny = await decideDestiny({
    policy: { ...settings, nodeTimeoutMs: settings.nodeTimeout, peerWaitMs: settings.peerWait },
    discovery,
    lock,
    files,
    connect,
    log,
    restorer,
    async onSelf({ ip, port, busPort }) {
      // Everything that could still be refused is, before a single command is sent to anybody.
      const nodeTimeoutMs = settings.nodeTimeout;
      const mode = { kind: "cluster", nodesFile, busPort, nodeTimeoutMs } as const;
      configuration = await foundation.renderConfiguration({ ip, port, mode });
      await requireFreePorts(ip, [
        { port, flag: "--port" },
        { port: busPort, flag: "--bus-port" },
      ]);
      onSelf();
    },
  });
  const table = destiny.table && renderNodesConf(withOwnId(destiny.table));
  if (destiny.isRestored && table !== undefined) restorer?.commit({ [nodesFile]: table });
  else {
    restorer?.discard();
    if (table !== undefined) writeWhole(join(files.dir, nodesFile), table, 0o600);
  }
  return finishStart(foundation, configuration, destiny.address, log);
}

/** A new node's id is drawn here: the planner knows no chance. */
function withOwnId(table: NodeTable): NodeTable {
  const id = drawNodeId();
  return {
    ...table,
    nodes: table.nodes.map((node) => (node.id === blankId ? { ...node, id } : node)),
  };
}
