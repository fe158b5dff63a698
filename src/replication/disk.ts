/**
 * What the own data folder tells of whose data is newest.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readDisk } from "../cluster/disk.ts";
import { readIfThere } from "../files.ts";
import type { DataFiles } from "../redis/data-files.ts";
import { isEmptyRdb } from "../redis/empty-rdb.ts";
import type { DiskFacts } from "./types.ts";

/** @param configurationFile the one that the server ran with, which Sentinel has it rewrite at each change of role. */
export function readDiskFacts(files: DataFiles, configurationFile: string): DiskFacts {
  const { data } = readDisk(files);
  const wasAlpha = isAlphas(readIfThere(configurationFile));
  const written = data === "none" ? [] : dataFiles(files, data).filter((path) => !isEmpty(path));
  if (data === "none" || written.length === 0) return { kind: "none", writtenAtMs: 0, wasAlpha };
  return { kind: data, writtenAtMs: Math.max(...written.map(writtenAt)), wasAlpha };
}

/** Those that the server would load. */
function dataFiles(
  { dir, dbfilename, appenddirname, appendfilename }: DataFiles,
  kind: "rdb" | "aof",
): readonly string[] {
  if (kind === "rdb") return [join(dir, dbfilename)];
  const folder = join(dir, appenddirname);
  const parts = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder).filter((name) => !name.endsWith(".manifest"))
    : [];
  return [join(dir, appendfilename), ...parts.map((name) => join(folder, name))];
}

/** Larger than any snapshot without a key. */
const smallBytes = 1_024;

function isEmpty(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size === 0 || (size <= smallBytes && isEmptyRdb(readFileSync(path)));
}

const writtenAt = (path: string): number => Math.floor(statSync(path).mtimeMs);

const isAlphas = (configuration: string | undefined): boolean =>
  configuration !== undefined && !/^\s*(replicaof|slaveof)\s/im.test(configuration);
