/**
 * `rekindle sidecar`: one optional process beside the server, for what no boot would do.
 */
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { isIP } from "node:net";
import { backupDescriptions } from "../backup/settings.ts";
import { heal } from "../cluster/heal.ts";
import { checkDiscovery, clusterSettingDescriptions } from "../cluster/settings.ts";
import { exitCodes, messageOf, RekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { openRecord, type Recorder, readRecords } from "../metrics/record.ts";
import { type Listen, serveMetrics } from "../metrics/serve.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { reloadUntil } from "../reload/reload.ts";
import { restartDescriptions } from "../reload/settings.ts";
import {
  duration,
  type Flags,
  onOff,
  optionalText,
  readSettings,
  type Setting,
  type Settings,
} from "../settings.ts";
import { storeForms } from "../stores/settings.ts";
import { version } from "../version.ts";
import { findIfTold, openReload, reloadSettingDescriptions } from "./open-reload.ts";
import { backUpBeside, sidecarEvery } from "./sidecar-backup.ts";
import {
  connectionDescriptions,
  findSurroundings,
  type Surroundings,
  whereaboutsDescriptions,
} from "./surroundings.ts";

const { discovery, peers, dns, nodeTimeout } = clusterSettingDescriptions;

const listen: Setting<Listen | undefined> = {
  describe: "serve what Rekindle did, as kept in --dir, to Prometheus at this [host:]port",
  read: readListen,
};
const exporter: Setting<URL | undefined> = {
  describe: "with --metrics: pass on what the exporter at this URL says",
  read: readUrl,
};

export const descriptions = {
  heal: onOff(
    "introduce nodes that do not know each other, forget ghosts, give idle nodes an alpha",
  ),
  reload: onOff("have the server take changes of its redis.conf, its password and its certificate"),
  interval: duration(
    "between two looks at the cluster, and at the server",
    { from: 500, to: 3_600_000 },
    "10s",
  ),
  metrics: listen,
  exporter,
  backup: optionalText(`take snapshots to this store: ${storeForms}; of all sidecars one does`),
  ...backupDescriptions,
  every: sidecarEvery,
  ...reloadSettingDescriptions,
  ...restartDescriptions,
  discovery,
  peers,
  dns,
  ...whereaboutsDescriptions,
  nodeTimeout,
  ...connectionDescriptions,
} as const;

type SidecarSettings = Settings<typeof descriptions>;

const askDeadlineMs = 2_000;

/** Runs until SIGTERM or SIGINT. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  check(settings, environment);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const record = openRecord(
    settings.dir,
    "sidecar",
    createLog(settings.logLevel, settings.logFormat),
  );
  record.log.info("start", `rekindle ${version} sidecar`, {
    heal: settings.heal,
    reload: settings.reload,
    metrics: settings.metrics?.port,
    backup: settings.backup,
  });
  const server =
    settings.metrics &&
    (await serveMetrics({
      listen: settings.metrics,
      exporter: settings.exporter,
      series: () => new Map([...readRecords(settings.dir), ...record.series()]),
    }));
  try {
    const { backup } = settings;
    // When one ends by an error the process does, and is started again.
    await Promise.all([
      tendUntil(stop.signal, settings, environment, record),
      backup !== undefined &&
        backUpBeside(
          stop.signal,
          { ...settings, backup },
          connectOf(settings, environment),
          record,
        ),
    ]);
  } finally {
    server?.close();
    server?.closeAllConnections();
  }
  return exitCodes.done;
}

/** @throws RekindleError for what does not fit together. */
function check(settings: SidecarSettings, environment: NodeJS.ProcessEnv): void {
  const { heal, reload, metrics, exporter, backup, dir } = settings;
  if (!heal && !reload && metrics === undefined && backup === undefined) {
    throw new RekindleError("usage", "the sidecar is told to do nothing", {
      hint: "give it --heal, --reload, --metrics, --backup or some of them",
    });
  }
  if (exporter !== undefined && metrics === undefined) {
    throw new RekindleError("usage", "--exporter is given, and nothing is served", {
      hint: "say where with --metrics",
    });
  }
  if (heal) checkDiscovery(settings, environment);
  if (metrics === undefined && !reload) return;
  const [verb, done] = reload ? ["write", "written"] : ["read", "read"];
  try {
    accessSync(dir, constants.R_OK | constants.X_OK | (reload ? constants.W_OK : 0));
  } catch (cause) {
    throw new RekindleError("configuration", `${dir} cannot be ${done}: ${messageOf(cause)}`, {
      hint: `name the node's data folder with --dir, and let this user ${verb} it`,
      cause,
    });
  }
}

/** Heals, reloads, both, or just stays. */
async function tendUntil(
  signal: AbortSignal,
  settings: SidecarSettings,
  environment: NodeJS.ProcessEnv,
  record: Recorder,
): Promise<void> {
  const surroundings = settings.heal
    ? await findSurroundings(settings, environment, record.log, "sidecar")
    : settings.reload
      ? await findIfTold(settings, environment, record.log, "sidecar")
      : undefined;
  try {
    await Promise.all([
      settings.heal &&
        surroundings &&
        healUntil(signal, settings, environment, surroundings, record),
      settings.reload && reloadBeside(signal, settings, environment, surroundings, record),
      ended(signal),
    ]);
  } finally {
    await surroundings?.close();
  }
}

const healUntil = (
  signal: AbortSignal,
  settings: SidecarSettings,
  environment: NodeJS.ProcessEnv,
  surroundings: Surroundings,
  record: Recorder,
): Promise<void> =>
  heal({
    policy: {
      nodes: 0,
      replicas: 0,
      nodeTimeoutMs: settings.nodeTimeout,
      peerWaitMs: settings.peerWait,
      onLostSlots: "wait",
    },
    ...surroundings,
    connect: connectOf(settings, environment),
    intervalMs: settings.interval,
    onHealed: record.healed,
    signal,
  });

async function reloadBeside(
  signal: AbortSignal,
  settings: SidecarSettings,
  environment: NodeJS.ProcessEnv,
  surroundings: Surroundings | undefined,
  record: Recorder,
): Promise<void> {
  const { options, end } = await openReload(settings, environment, surroundings, record, true);
  try {
    await reloadUntil(signal, options);
  } finally {
    end();
  }
}

/** Read for each connection: a password may change, and a certificate be renewed. */
const connectOf = (settings: SidecarSettings, environment: NodeJS.ProcessEnv): ConnectOptions => ({
  get credentials() {
    return readCredentials(settings, environment);
  },
  get tls() {
    return readTls(settings);
  },
  deadlineMs: askDeadlineMs,
});

const ended = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : once(signal, "abort");

function readListen(value: string): Listen {
  const [, host, port = ""] = /^(?:(.*):)?(\d+)$/.exec(value) ?? [];
  const ip = host?.replace(/^\[(.*)\]$/, "$1");
  const isPort = Number(port) >= 1 && Number(port) <= 65_535;
  if (!isPort || (ip !== undefined && isIP(ip) === 0))
    throw new Error("expected a port, or an address and a port, as 9123 or 127.0.0.1:9123");
  return { ip, port: Number(port) };
}

function readUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== "http:") throw new Error("expected a URL as http://127.0.0.1:9121/metrics");
  return url;
}
