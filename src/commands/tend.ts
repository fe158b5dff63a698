/**
 * `rekindle tend`: keeps true who the alpha is and who is there. Sentinel runs it whenever the alpha changes or somebody is gone.
 */
import { exitCodes } from "../errors.ts";
import { createLog } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { peerDescriptions, roleLabel, sentinelDescriptions } from "../replication/settings.ts";
import { tend } from "../replication/tend.ts";
import { sentinelSettingDescriptions } from "../sentinel/settings.ts";
import { duration, type Flags, readSettings } from "../settings.ts";
import { connectionDescriptions, findSurroundings } from "./surroundings.ts";

export const descriptions = {
  dir: sentinelSettingDescriptions.dir,
  count: sentinelSettingDescriptions.count,
  ...sentinelDescriptions,
  ...peerDescriptions,
  roleLabel,
  deadline: duration(
    "how long to wait for an alpha, and for Sentinels that look around",
    { from: 0, to: 3_600_000 },
    // Sentinel ends its scripts after a minute (SENTINEL_SCRIPT_MAX_RUNTIME).
    "50s",
  ),
  ...connectionDescriptions,
} as const;

const askDeadlineMs = 1_000;

/** @returns 0 when all is as it should be, 75 when the time ran out before. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  process.once("SIGTERM", () => process.exit(128 + 15));
  const settings = readSettings(descriptions, flags, environment);
  const { set, count, deadline: deadlineMs } = settings;
  const around = {
    ...settings,
    busPort: undefined,
    onNewTemplate: "join",
    peerWait: deadlineMs,
  } as const;
  const record = openRecord(settings.dir, "tend", createLog(settings.logLevel, settings.logFormat));
  const surroundings = await findSurroundings(around, environment, record.log, "tend", true);
  const { discovery, log, markAlpha } = surroundings;
  try {
    const { isDone, reason } = await tend({
      discovery,
      set,
      sentinelPlaces: settings,
      connect: {
        credentials: readCredentials(settings, environment),
        tls: readTls(settings),
        deadlineMs: askDeadlineMs,
      },
      markAlpha,
      log,
      count,
      deadlineMs,
    });
    if (isDone) return exitCodes.done;
    log.warn("wait", `not yet as it should be: ${reason}`, { exit: exitCodes.tryAgain });
    return exitCodes.tryAgain;
  } finally {
    await surroundings.close();
  }
}
