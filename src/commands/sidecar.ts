/**
 * `rekindle sidecar`: one optional process beside the server, for what no boot would do.
 */
import { heal } from "../cluster/heal.ts";
import { checkDiscovery, clusterSettingDescriptions } from "../cluster/settings.ts";
import { exitCodes, RekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { duration, type Flags, onOff, readSettings } from "../settings.ts";
import { version } from "../version.ts";
import {
  connectionDescriptions,
  findSurroundings,
  whereaboutsDescriptions,
} from "./surroundings.ts";

const { discovery, peers, dns, nodeTimeout, peerWait } = clusterSettingDescriptions;

export const descriptions = {
  heal: onOff(
    "introduce nodes that do not know each other, forget ghosts, give idle nodes an alpha",
  ),
  interval: duration("between two looks at the cluster", { from: 500, to: 3_600_000 }, "10s"),
  discovery,
  peers,
  dns,
  ...whereaboutsDescriptions,
  nodeTimeout,
  peerWait,
  ...connectionDescriptions,
} as const;

const askDeadlineMs = 2_000;

/** Runs until SIGTERM or SIGINT. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  if (!settings.heal) {
    throw new RekindleError("usage", "the sidecar is told to do nothing", {
      hint: "give it --heal",
    });
  }
  checkDiscovery(settings, environment);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const plainLog = createLog(settings.logLevel, settings.logFormat);
  plainLog.info("start", `rekindle ${version} sidecar`, { heal: settings.heal });
  const surroundings = await findSurroundings(settings, environment, plainLog, "sidecar");
  try {
    await heal({
      policy: {
        nodes: 0,
        replicas: 0,
        nodeTimeoutMs: settings.nodeTimeout,
        peerWaitMs: settings.peerWait,
        onLostSlots: "wait",
      },
      ...surroundings,
      connect: {
        credentials: readCredentials(settings, environment),
        tls: readTls(settings),
        deadlineMs: askDeadlineMs,
      },
      intervalMs: settings.interval,
      signal: stop.signal,
    });
  } finally {
    await surroundings.close();
  }
  return exitCodes.done;
}
