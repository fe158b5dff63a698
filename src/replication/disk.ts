/**
 * What the own data folder tells of whose data is newest.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DataFiles, readDisk } from "../cluster/disk.ts";
import { readIfThere } from "../files.ts";
import type { DiskFacts } from "./types.ts";

/** @param configurationFile the one that the server ran with, which Sentinel has it rewrite at each change of role. */
export function readDiskFacts(files: DataFiles, configurationFile: string): DiskFacts {
  const { data } = readDisk(files);
  return {
    kind: data,
    writtenAtMs: data === "none" ? 0 : newestWrite(files, data),
    wasAlpha: wasAlpha(readIfThere(configurationFile)),
  };
}

function newestWrite(
  { dir, dbfilename, appenddirname, appendfilename }: DataFiles,
  kind: "rdb" | "aof",
): number {
  if (kind === "rdb") return writtenAt(join(dir, dbfilename));
  const folder = join(dir, appenddirname);
  const parts = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder).map((name) => writtenAt(join(folder, name)))
    : [];
  return Math.max(writtenAt(join(dir, appendfilename)), ...parts);
}

const writtenAt = (path: string): number =>
  Math.floor(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);

const wasAlpha = (configuration: string | undefined): boolean =>
  configuration !== undefined && !/^\s*(replicaof|slaveof)\s/im.test(configuration);
