/**
 * `rekindle cluster`: decide what this node must be, and become it.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { formatAddress } from "../address.ts";
import { decideDestiny } from "../cluster/boot.ts";
import { blankId } from "../cluster/build-table.ts";
import { type DataFiles, nodesFile } from "../cluster/disk.ts";
import { lockFolder } from "../cluster/folder-lock.ts";
import { type NodeTable, renderNodesConf } from "../cluster/nodes.ts";
import {
  type ClusterSettings,
  clusterSettingDescriptions,
  discoveryOf,
  readClusterSettings,
} from "../cluster/settings.ts";
import { isRekindleError, messageOf, RekindleError } from "../errors.ts";
import { drawNodeId, writeWhole } from "../files.ts";
import { createLog } from "../log.ts";
import { becomeServer } from "../redis/become.ts";
import { renderConfiguration } from "../redis/configuration.ts";
import { requireFreePorts } from "../redis/ports.ts";
import { readCredentials, readTls, tlsPaths } from "../redis/secrets.ts";
import { findServer } from "../redis/server.ts";
import {
  type Directive,
  directiveValue,
  readUserConfiguration,
} from "../redis/user-configuration.ts";
import type { Flags } from "../settings.ts";
import { version } from "../version.ts";
import { findSurroundings, type Surroundings, tellRefusal } from "./surroundings.ts";

export const descriptions = clusterSettingDescriptions;

/** For the decision only; the server has its own. */
const askDeadlineMs = 1_000;

/** Does not return where all goes well: the process is the server by then. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  endOnSignals();
  const settings = await readOrTell(flags, environment);
  const plainLog = createLog(settings.logLevel, settings.logFormat);
  plainLog.info("start", `rekindle ${version} cluster`, {
    dir: resolve(settings.dir),
    discovery: discoveryOf(settings, environment),
  });
  const surroundings = await findSurroundings(settings, environment, plainLog, "cluster");
  try {
    const start = await prepare(settings, environment, surroundings);
    await surroundings.close();
    process.chdir(start.dir);
    // A signal that came while we wrote has its turn here; execve would forget it.
    await new Promise((resolve) => setImmediate(resolve));
    becomeServer(start.server, start.configurationFile, environment);
  } catch (thrown) {
    if (isRekindleError(thrown)) await surroundings.tellRefusal(thrown);
    await surroundings.close();
    throw thrown;
  }
}

async function readOrTell(flags: Flags, environment: NodeJS.ProcessEnv): Promise<ClusterSettings> {
  try {
    return readClusterSettings(flags, environment);
  } catch (thrown) {
    if (isRekindleError(thrown)) await tellRefusal(thrown, flags, environment);
    throw thrown;
  }
}

interface Start {
  readonly dir: string;
  readonly server: string;
  readonly configurationFile: string;
}

/** Decides what this node must be, and writes what the server needs for that. */
async function prepare(
  settings: ClusterSettings,
  environment: NodeJS.ProcessEnv,
  { discovery, lock, log, onSelf }: Surroundings,
): Promise<Start> {
  const credentials = readCredentials(settings, environment);
  const tls = readTls(settings);
  const userFile = settings.config === undefined ? undefined : resolve(settings.config);
  const directives = readUserConfiguration(userFile);
  const files = dataFiles(settings, directives);
  const server = findServer(settings.server, environment.PATH ?? "");
  server.catch(() => {}); // Awaited in onSelf; until then a missing server is not an unhandled rejection.
  requireWritable(files.dir);
  lockFolder(files.dir);

  let configuration = "";
  const destiny = await decideDestiny({
    policy: { ...settings, nodeTimeoutMs: settings.nodeTimeout, peerWaitMs: settings.peerWait },
    discovery,
    lock,
    files,
    connect: { credentials, tls, deadlineMs: askDeadlineMs },
    log,
    async onSelf(address) {
      // Everything that could still be refused is, before a single command is sent to anybody.
      configuration = renderConfiguration({
        userFile,
        directives,
        server: await server,
        dir: files.dir,
        nodesFile,
        ...address,
        nodeTimeoutMs: settings.nodeTimeout,
        credentials,
        tls: tlsOptions(settings),
      });
      await requireFreePorts(address.ip, [
        { port: address.port, flag: "--port" },
        { port: address.busPort, flag: "--bus-port" },
      ]);
      onSelf();
    },
  });

  const configurationFile = join(files.dir, "rekindle.conf");
  if (destiny.table)
    writeWhole(join(files.dir, nodesFile), renderNodesConf(withOwnId(destiny.table)), 0o600);
  writeWhole(configurationFile, configuration, 0o600);
  const { path } = await server;
  log.info("become", `becoming ${path}`, {
    argv: [path, configurationFile],
    address: formatAddress(destiny.address),
    ...costs(),
  });
  return { dir: files.dir, server: path, configurationFile };
}

/** What deciding has cost until now: milliseconds of CPU, and the largest memory in megabytes. */
function costs(): { readonly cpuMs: number; readonly peakMb: number } {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpuMs: Math.round((userCPUTime + systemCPUTime) / 1_000),
    peakMb: Math.round(maxRSS / 1_000),
  };
}

/** As process 1 the kernel drops signals without a handler. Nothing needs undoing: every step may be cut off. */
function endOnSignals(): void {
  process.once("SIGTERM", () => process.exit(128 + 15));
  process.once("SIGINT", () => process.exit(128 + 2));
}

function dataFiles(settings: ClusterSettings, directives: readonly Directive[]): DataFiles {
  return {
    dir: resolve(settings.dir),
    appendonly: directiveValue(directives, "appendonly")?.toLowerCase() === "yes",
    appenddirname: directiveValue(directives, "appenddirname") ?? "appendonlydir",
    appendfilename: directiveValue(directives, "appendfilename") ?? "appendonly.aof",
    dbfilename: directiveValue(directives, "dbfilename") ?? "dump.rdb",
  };
}

function requireWritable(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new RekindleError(
      "configuration",
      `the data folder ${dir} cannot be written: ${messageOf(cause)}`,
      {
        hint: "give this user the right to write there, or name another folder with --dir",
        cause,
      },
    );
  }
}

function tlsOptions(settings: ClusterSettings) {
  const paths = tlsPaths(settings);
  return paths && { ...paths, clients: settings.tlsClients };
}

/** A new node's id is drawn here: the planner knows no chance. */
function withOwnId(table: NodeTable): NodeTable {
  const id = drawNodeId();
  return {
    ...table,
    nodes: table.nodes.map((node) => (node.id === blankId ? { ...node, id } : node)),
  };
}
