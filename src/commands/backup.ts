/**
 * `rekindle backup`: takes a snapshot, or goes on taking them.
 */
import { describe, tidy } from "../backup/resident.ts";
import { backupDescriptions } from "../backup/settings.ts";
import { renderProgress } from "../backup/show-progress.ts";
import { takeSnapshot } from "../backup/take-snapshot.ts";
import { checkTls } from "../cluster/settings.ts";
import { exitCodes, RekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import { type Flags, optionalText, readSettings, type Settings } from "../settings.ts";
import { bytesOf, type Manifest, tookMs } from "../snapshots/manifest.ts";
import { retentionOf } from "../snapshots/settings.ts";
import { openLiveView, openTerminal } from "../status/terminal.ts";
import { storeForms } from "../stores/settings.ts";
import { version } from "../version.ts";
import { formatBytes } from "../words.ts";
import { type BackupPlace, backUpUntil, withBackup } from "./back-up.ts";
import { knownNodesDescriptions, openKnownNodes } from "./known-nodes.ts";
import { connectionDescriptions, whereaboutsDescriptions } from "./surroundings.ts";

export const descriptions = {
  to: optionalText(`where to: ${storeForms}`),
  ...backupDescriptions,
  dir: optionalText("keep figures for Prometheus in this folder, as rekindle-backup.prom"),
  ...knownNodesDescriptions,
  ...connectionDescriptions,
  ...whereaboutsDescriptions,
} as const;

const askDeadlineMs = 5_000;

/** @returns 0 when the snapshot is whole, or when it was told to end. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const { every, dir } = settings;
  const url = check(settings);
  const terminal = openTerminal(process.stdout, environment);
  const isDrawn = every === undefined && terminal.isTerminal;
  const plainLog = isDrawn
    ? createLog("warn", "text", 2)
    : createLog(settings.logLevel, settings.logFormat);
  const record = dir === undefined ? undefined : openRecord(dir, "backup", plainLog);
  const log = record?.log ?? plainLog;
  log.info("start", `rekindle ${version} backup`, { to: url });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => stop.abort(signal));
  const nodes = await openKnownNodes(settings, environment, "backup");
  const connect = {
    credentials: readCredentials(settings, environment),
    tls: readTls(settings),
    deadlineMs: askDeadlineMs,
  };
  const place = { url, settings, connect, log, findKnown: nodes.find };
  try {
    if (every !== undefined) {
      await backUpUntil(stop.signal, place, every, async () => true, record);
      return exitCodes.done;
    }
    const manifest = await backUpOnce(place, stop.signal, isDrawn, environment);
    record?.backedUp(tookMs(manifest) / 1_000, bytesOf(manifest));
    record?.backupsAre(Date.parse(manifest.startedAt));
    if (isDrawn) terminal.write(`${summarize(manifest, url)}\n`);
    else log.info("action", `snapshot ${manifest.id} is in ${url}`, describe(manifest));
    return exitCodes.done;
  } catch (thrown) {
    if (!stop.signal.aborted) {
      record?.backedUp(performance.now() / 1_000, undefined);
      throw thrown;
    }
    log.warn("error", "stopped: there is no snapshot");
    return stop.signal.reason === "SIGINT" ? 130 : 143;
  } finally {
    await nodes.close();
  }
}

/** @throws RekindleError for what does not fit together. */
function check(settings: Settings<typeof descriptions>): string {
  checkTls(settings);
  if (settings.to === undefined)
    throw new RekindleError("usage", "it is not said where the snapshot goes", {
      hint: "name a store with --to, as file:///var/backups/redis or s3://bucket/prefix",
    });
  if (settings.continuous && settings.every === undefined)
    throw new RekindleError("usage", "--continuous is given without --every", {
      hint: "say how often a snapshot is taken, as --every 6h",
    });
  return settings.to;
}

function backUpOnce(
  place: BackupPlace,
  signal: AbortSignal,
  isDrawn: boolean,
  environment: NodeJS.ProcessEnv,
): Promise<Manifest> {
  const { connect, log, settings } = place;
  return withBackup(place, async (store, finder) => {
    const view = openLiveView(openTerminal(process.stdout, environment));
    const startedAt = performance.now();
    let drawnAt = 0;
    const onProgress: Parameters<typeof takeSnapshot>[0]["onProgress"] = (progress) => {
      const now = performance.now();
      if (!isDrawn || now - drawnAt < drawMs) return;
      drawnAt = now;
      view.draw(renderProgress(progress, now - startedAt));
    };
    const taken = await takeSnapshot({ store, finder, connect, log, signal, onProgress }).finally(
      view.end,
    );
    await tidy({ store, log, signal, retention: retentionOf(settings) });
    return taken;
  });
}

const drawMs = 100;

function summarize(manifest: Manifest, url: string): string {
  const { id, shards } = manifest;
  const [bytes, seconds] = [bytesOf(manifest), tookMs(manifest) / 1_000];
  const of = shards.length > 1 ? ` of ${shards.length} shards` : "";
  const rate = seconds > 0 ? `, ${formatBytes(bytes / seconds)}/s` : "";
  return `snapshot ${id}${of}: ${formatBytes(bytes)} in ${seconds.toFixed(1)} s${rate}, in ${url}`;
}
