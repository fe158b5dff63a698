/**
 * What a snapshot consists of. Its manifest is written last: a snapshot without one was cut off, and does not exist.
 *
 *     snapshots/20261125T201502Z-1f0c/0.rdb          one RDB for each shard, as the server sent it
 *     snapshots/20261125T201502Z-1f0c/manifest.json
 *     stream/7b1e.../00000000000000052311-00000000000000060222.aof
 *
 * A stream is what a shard's servers were told after a snapshot, as an append-only file with time annotations (`#TS:`, as Redis
 * 7.0 writes them) cut in segments; their names are the replication offsets of the first byte and of the one after the last.
 */
import { RekindleError } from "../errors.ts";
import type { ServerVersion } from "../redis/server.ts";

export interface Shard {
  /** Beside the manifest. */
  readonly file: string;
  /** Of the RDB, before any encryption. */
  readonly bytes: number;
  /** Of the RDB, in hexadecimal digits. */
  readonly sha256: string;
  /** As `CLUSTER NODES` writes them ("0-5460"); empty where there is no cluster. */
  readonly slots: readonly string[];
  /** Where the RDB stands in the shard's replication stream: the offset of the next byte. */
  readonly offset: number;
  /** The stream that goes on from there, where one is kept. */
  readonly stream?: string;
}

export interface Manifest {
  readonly format: 1;
  /** Ids in order are snapshots in order. */
  readonly id: string;
  /** ISO 8601, UTC. The data is that of a moment between the two. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly topology: "cluster" | "replication" | "standalone";
  readonly server: ServerVersion;
  /** The key's fingerprint, where the files are encrypted on our side; the manifest never is. */
  readonly encryptedFor?: string;
  readonly shards: readonly Shard[];
}

export const manifestOf = (id: string): string => `snapshots/${id}/manifest.json`;
export const rdbOf = (id: string, shard: Pick<Shard, "file">): string =>
  `snapshots/${id}/${shard.file}`;

/** Of a snapshot that begins now: its second, and what tells it from another of that second. */
export const makeId = (now: Date, drawn: string): string =>
  `${now.toISOString().replace(/[-:]|\.\d+/g, "")}-${drawn.slice(0, 4)}`;

/** Of all its shards. */
export const bytesOf = ({ shards }: Pick<Manifest, "shards">): number =>
  shards.reduce((sum, { bytes }) => sum + bytes, 0);

/** How long it took to take. */
export const tookMs = ({ startedAt, endedAt }: Pick<Manifest, "startedAt" | "endedAt">): number =>
  Date.parse(endedAt) - Date.parse(startedAt);

export interface Segment {
  readonly stream: string;
  /** Offsets: of its first byte, and of the byte after its last. */
  readonly from: number;
  readonly to: number;
}

const offsetDigits = 20;
const pad = (offset: number): string => offset.toString().padStart(offsetDigits, "0");

export const nameSegment = ({ stream, from, to }: Segment): string =>
  `stream/${stream}/${pad(from)}-${pad(to)}.aof`;

/** @returns undefined for a name of another kind. */
export function readSegmentName(name: string): Segment | undefined {
  const [, stream, from, to] = /^stream\/([^/]+)\/(\d{20})-(\d{20})\.aof$/.exec(name) ?? [];
  return stream === undefined ? undefined : { stream, from: Number(from), to: Number(to) };
}

export const printManifest = (manifest: Manifest): string =>
  `${JSON.stringify(manifest, null, 2)}\n`;

/** @throws RekindleError "refused" for what is no manifest, or one of a newer Rekindle. */
export function parseManifest(text: string, where: string): Manifest {
  const refuse = (what: string, hint: string) =>
    new RekindleError("refused", `${where}: ${what}`, { hint });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed !== "object" || parsed === null || !("format" in parsed))
    throw refuse(
      "this is no manifest of a snapshot",
      "choose another snapshot: `rekindle backups` lists them",
    );
  if (parsed.format !== 1)
    throw refuse("the snapshot is of a newer Rekindle", "restore it with that one");
  const manifest = parsed as Manifest;
  const isWhole =
    [manifest.id, manifest.startedAt, manifest.endedAt, manifest.server?.version].every(
      (one) => typeof one === "string",
    ) &&
    Array.isArray(manifest.shards) &&
    manifest.shards.every(isShard);
  if (!isWhole)
    throw refuse(
      "the manifest is damaged",
      "choose another snapshot: `rekindle backups` lists them",
    );
  return manifest;
}

const isShard = (shard: Partial<Shard>): boolean =>
  /^[\w.-]+$/.test(shard.file ?? "") &&
  Number.isSafeInteger(shard.bytes) &&
  Number.isSafeInteger(shard.offset) &&
  /^[0-9a-f]{64}$/.test(shard.sha256 ?? "") &&
  Array.isArray(shard.slots);
