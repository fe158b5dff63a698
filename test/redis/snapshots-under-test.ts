/**
 * Snapshots made by hand, as `rekindle backup` writes them: real RDB files of real servers, and their own append-only files.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type Manifest,
  manifestOf,
  nameSegment,
  printManifest,
  rdbOf,
  type Shard,
} from "../../src/snapshots/manifest.ts";

export interface Taken {
  readonly port: number;
  readonly slots: readonly string[];
}

export interface TakeOptions {
  readonly id?: string;
  readonly endedAt?: string;
  readonly topology?: Manifest["topology"];
  readonly stream?: string;
}

/** Of running servers. @returns the manifest that was written. */
export function takeByHand(
  store: string,
  servers: readonly Taken[],
  options: TakeOptions = {},
): Manifest {
  const folder = mkdtempSync(join(store, "take-"));
  const paths = servers.map(({ port }) => {
    const path = join(folder, `${port}.rdb`);
    execFileSync("redis-cli", ["-p", `${port}`, "--rdb", path], { stdio: "ignore" });
    return path;
  });
  const manifest = takeFolder(store, paths, options, servers);
  rmSync(folder, { recursive: true });
  return manifest;
}

/** Of RDB files, one for each shard. */
export function takeFolder(
  store: string,
  paths: readonly string[],
  {
    id = "20261125T200000Z-1f0c",
    endedAt = "2026-11-25T20:00:01.000Z",
    topology = "cluster",
    stream,
  }: TakeOptions = {},
  servers: readonly Taken[] = [],
): Manifest {
  const shards = paths.map((path, index): Shard => {
    const file = `${index}.rdb`;
    const target = join(store, rdbOf(id, { file }));
    mkdirSync(dirname(target), { recursive: true });
    const content = readFileSync(path);
    writeFileSync(target, content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const shard = {
      file,
      bytes: content.length,
      sha256,
      slots: servers[index]?.slots ?? [],
      offset: 0,
    };
    return stream === undefined ? shard : { ...shard, stream };
  });
  const startedAt = new Date(Date.parse(endedAt) - 1_000).toISOString();
  const server = { name: "redis", version: "7.0.15" } as const;
  const manifest: Manifest = { format: 1, id, startedAt, endedAt, topology, server, shards };
  writeManifest(store, manifest);
  return manifest;
}

export function writeManifest(store: string, manifest: Manifest): void {
  writeFileSync(join(store, manifestOf(manifest.id)), printManifest(manifest));
}

/** What came after a snapshot's RDB. */
export function addSegment(store: string, stream: string, from: number, text: string): number {
  const to = from + text.length;
  const path = join(store, nameSegment({ stream, from, to }));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return to;
}

/** As an append-only file has it. */
export const logged = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
