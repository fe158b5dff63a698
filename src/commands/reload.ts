/**
 * `rekindle reload`: has the server that runs here take its changed redis.conf, once.
 */
import { exitCodes, isRekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { planOnly, reloadOnce, requireDone } from "../reload/reload.ts";
import { renderPlan } from "../reload/render-plan.ts";
import { type Flags, onOff, readSettings } from "../settings.ts";
import { findIfTold, openReload, reloadSettingDescriptions } from "./open-reload.ts";

export const descriptions = {
  dryRun: onOff("print what would be done, and do nothing"),
  ...reloadSettingDescriptions,
} as const;

/** @returns 0 when the server is as the file wants it. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  process.once("SIGTERM", () => process.exit(128 + 15));
  const settings = readSettings(descriptions, flags, environment);
  // Standard output is the plan.
  const log = createLog(settings.logLevel, settings.logFormat, settings.dryRun ? 2 : 1);
  const record = openRecord(settings.dir, "reload", log);
  const surroundings = await findIfTold(settings, environment, record.log, "reload");
  try {
    const isAtWork = !settings.dryRun;
    const { options } = await openReload(settings, environment, surroundings, record, isAtWork);
    if (settings.dryRun) process.stdout.write(renderPlan((await planOnly(options)).plan));
    else requireDone(await reloadOnce(options));
    return exitCodes.done;
  } catch (thrown) {
    if (isRekindleError(thrown)) await surroundings?.tellRefusal(thrown);
    throw thrown;
  } finally {
    await surroundings?.close();
  }
}
