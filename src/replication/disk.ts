/**
 * What the own data folder tells of whose data is newest.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { readDisk } from "../cluster/disk.ts";
import { readIfThere } from "../files.ts";
import { type DataFiles, findDataFiles, isWithoutKeys } from "../redis/data-files.ts";
import type { DiskFacts } from "./types.ts";

/** @param configurationFile the one that the server ran with, which Sentinel has it rewrite at each change of role. */
export function readDiskFacts(files: DataFiles, configurationFile: string): DiskFacts {
  const { data } = readDisk(files);
  const wasAlpha = isAlphas(readIfThere(configurationFile));
  // Only those that the server would load.
  const isLoaded = (path: string) =>
    (path === join(files.dir, files.dbfilename)) === (data === "rdb");
  const written = findDataFiles(files).filter((path) => isLoaded(path) && !isWithoutKeys(path));
  if (data === "none" || written.length === 0) return { kind: "none", writtenAtMs: 0, wasAlpha };
  return { kind: data, writtenAtMs: Math.max(...written.map(writtenAt)), wasAlpha };
}

const writtenAt = (path: string): number => Math.floor(statSync(path).mtimeMs);

const isAlphas = (configuration: string | undefined): boolean =>
  configuration !== undefined && !/^\s*(replicaof|slaveof)\s/im.test(configuration);
