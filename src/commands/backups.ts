/**
 * `rekindle backups`: lists what a store holds, verifies it, and takes some of it away.
 */
import { clusterSettingDescriptions as shared } from "../cluster/settings.ts";
import { exitCodes, isRekindleError, messageOf, RekindleError } from "../errors.ts";
import { createLog } from "../log.ts";
import { findServer } from "../redis/server.ts";
import { verifySnapshot } from "../restore/verify-snapshot.ts";
import { type Flags, onOff, optionalText, readSettings, type Settings } from "../settings.ts";
import { readCatalogue } from "../snapshots/catalogue.ts";
import { bytesOf, type Manifest } from "../snapshots/manifest.ts";
import { prune, removeSnapshot } from "../snapshots/prune.ts";
import { listSegments, listSnapshots, readSnapshot } from "../snapshots/read-snapshots.ts";
import { retentionDescriptions, retentionOf } from "../snapshots/settings.ts";
import { openStore } from "../stores/open-store.ts";
import { storeForms, storeSettingDescriptions } from "../stores/settings.ts";
import type { Store } from "../stores/store.ts";
import { formatBytes, formatCount } from "../words.ts";

export const descriptions = {
  from: optionalText(`the store: ${storeForms}`),
  json: onOff("the list as JSON"),
  verify: onOff("download every file, check it, and load it into a server for a moment"),
  snapshot: optionalText("verify only this one, by its id", { defaultText: "all" }),
  prune: onOff("remove what the --keep-… rules do not keep"),
  remove: optionalText("remove this snapshot, by its id"),
  ...retentionDescriptions,
  server: shared.server,
  ...storeSettingDescriptions,
  logLevel: shared.logLevel,
  logFormat: shared.logFormat,
} as const;

/** @returns 0, or 65 where a snapshot is not good. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const settings = readSettings(descriptions, flags, environment);
  const { from, json, verify, snapshot, remove } = settings;
  if (from === undefined)
    throw new RekindleError("usage", "it is not said which store", { hint: "name it with --from" });
  const store = await openStore(from, settings);
  try {
    if (remove !== undefined) return await removeOne(store, remove);
    if (settings.prune) return await pruneAll(store, settings);
    if (verify) return await verifyAll(store, snapshot, settings.server, environment);
    return await list(store, json);
  } finally {
    store.close();
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Listed {
  readonly id: string;
  readonly endedAt: string;
  readonly topology: Manifest["topology"];
  readonly shards: number;
  readonly bytes: number;
  readonly server: string;
  readonly isEncrypted: boolean;
  /** When the last segment was written that goes on from it. */
  readonly streamUntil: string | undefined;
}

async function list(store: Store, asJson: boolean): Promise<number> {
  const ids = await listSnapshots(store);
  const streams = new Map<string, Date>();
  const listed: Listed[] = [];
  for (const id of ids) listed.push(await describe(store, id, streams));
  if (asJson) say(JSON.stringify(listed, null, 2));
  else if (listed.length === 0) say(`${store.url} holds no snapshot`);
  else for (const line of renderTable(listed, Date.now())) say(line);
  return exitCodes.done;
}

/** @param streams what is known of their ends already: many snapshots are of one. */
async function describe(store: Store, id: string, streams: Map<string, Date>): Promise<Listed> {
  const manifest = await readSnapshot(store, id);
  const { endedAt, topology, server, shards, encryptedFor } = manifest;
  for (const { stream } of shards) {
    if (stream === undefined || streams.has(stream)) continue;
    const segments = await listSegments(store, stream);
    streams.set(stream, new Date(Math.max(0, ...segments.map(({ writtenAt }) => +writtenAt))));
  }
  // All shards of it are there up to the earliest end.
  const ends = shards.flatMap(({ stream }) => streams.get(stream ?? "")?.getTime() ?? []);
  const until = ends.length < shards.length ? 0 : Math.min(...ends);
  return {
    id,
    endedAt,
    topology,
    shards: shards.length,
    bytes: bytesOf(manifest),
    server: `${server.name} ${server.version}`,
    isEncrypted: encryptedFor !== undefined,
    streamUntil: until > Date.parse(endedAt) ? new Date(until).toISOString() : undefined,
  };
}

const heads = ["id", "age", "topology", "shards", "size", "server", "stream until"] as const;

function renderTable(listed: readonly Listed[], nowMs: number): readonly string[] {
  const rows = listed.map((one) => [
    one.id,
    formatAge(nowMs - Date.parse(one.endedAt)),
    one.topology,
    `${one.shards}`,
    formatBytes(one.bytes),
    `${one.server}${one.isEncrypted ? ", encrypted" : ""}`,
    one.streamUntil ?? "-",
  ]);
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  return [heads, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

const spans = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
] as const;

/** `3 h`: as a person would say it. */
function formatAge(ms: number): string {
  const [unitMs, unit] = spans.find(([one]) => ms >= one) ?? [1_000, "s"];
  return `${Math.max(0, Math.floor(ms / unitMs))} ${unit}`;
}

async function verifyAll(
  store: Store,
  only: string | undefined,
  named: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const server = await findServer(named, environment.PATH ?? "");
  const ids = only === undefined ? await listSnapshots(store) : [only];
  let bad = 0;
  for (const id of ids) {
    try {
      const manifest = await readSnapshot(store, id);
      const counts = await verifySnapshot(store, manifest, server.path);
      const shards = counts.map(
        (count, index) => `${manifest.shards[index]?.file} ${formatCount(count)}`,
      );
      const all = counts.reduce((sum, count) => sum + count, 0);
      say(`${id}: good, ${formatCount(all)} keys (${shards.join(", ")})`);
    } catch (thrown) {
      if (!isRekindleError(thrown) || thrown.reason !== "refused") throw thrown;
      bad++;
      say(`${id}: NOT GOOD, ${messageOf(thrown)}`);
    }
  }
  if (ids.length === 0) say(`${store.url} holds no snapshot`);
  return bad > 0 ? exitCodes.refused : exitCodes.done;
}

async function removeOne(store: Store, id: string): Promise<number> {
  const snapshot = (await readCatalogue(store)).find((one) => one.id === id);
  if (snapshot === undefined)
    throw new RekindleError("refused", `${store.url} holds no snapshot ${id}`, {
      hint: "choose another one: `rekindle backups` lists them",
    });
  await removeSnapshot(store, snapshot);
  say(`removed ${id}`);
  return exitCodes.done;
}

async function pruneAll(store: Store, settings: Settings<typeof descriptions>): Promise<number> {
  const rules = retentionOf(settings);
  if (Object.values(rules).every((rule) => rule === undefined))
    throw new RekindleError("usage", "no rule says what is kept", {
      hint: "give one, as --keep-last 7 or --keep-daily 14",
    });
  const log = createLog(settings.logLevel, settings.logFormat);
  const kept = await prune(store, await readCatalogue(store), rules, log);
  say(`${kept.length} snapshots are kept`);
  return exitCodes.done;
}
