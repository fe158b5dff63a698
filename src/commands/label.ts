/**
 * `rekindle label`: label the pods of a set with their roles. Sentinel runs it whenever the alpha changes.
 */
import { discoveryOf } from "../cluster/settings.ts";
import { exitCodes, RekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { markRoles } from "../replication/mark-roles.ts";
import { peerDescriptions, roleLabel, sentinelDescriptions } from "../replication/settings.ts";
import { duration, type Flags, readSettings } from "../settings.ts";
import { connectionDescriptions, findSurroundings } from "./surroundings.ts";

export const descriptions = {
  roleLabel,
  ...sentinelDescriptions,
  ...peerDescriptions,
  deadline: duration(
    "how long to wait for an alpha, and for the API server",
    { from: 1_000, to: 3_600_000 },
    "50s",
  ),
  ...connectionDescriptions,
} as const;

const askDeadlineMs = 1_000;

/** @returns 0 when all labels are right, 75 when the time ran out before. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  if (settings.roleLabel === undefined) {
    throw new RekindleError("usage", "no label is named that should tell the roles", {
      hint: "name one with --role-label, such as redis-role",
    });
  }
  if (discoveryOf(settings, environment) !== "kubernetes") {
    throw new RekindleError("usage", "only pods on Kubernetes have labels", {
      hint: "leave out --dns, --peers and --discovery, and run it in a pod",
    });
  }
  const around = {
    ...settings,
    busPort: undefined,
    onNewTemplate: "join",
    peerWait: settings.deadline,
  } as const;
  const plainLog = createLog(settings.logLevel, settings.logFormat);
  const surroundings = await findSurroundings(around, environment, plainLog, "label", true);
  const { discovery, log, markAlpha } = surroundings;
  try {
    const alpha = await markRoles({
      discovery,
      set: settings.set,
      sentinelPlaces: settings,
      connect: {
        credentials: readCredentials(settings, environment),
        tls: readTls(settings),
        deadlineMs: askDeadlineMs,
      },
      markAlpha,
      log,
      deadlineMs: settings.deadline,
    });
    if (alpha === undefined) {
      log.error("error", "the labels may not tell who is the alpha", { exit: exitCodes.tryAgain });
      return exitCodes.tryAgain;
    }
    log.info("action", `the pods' labels tell that ${alpha} is the alpha`);
    return exitCodes.done;
  } finally {
    await surroundings.close();
  }
}
