/**
 * Where a server keeps its data, and what of it the next start would load.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isEmptyRdb } from "./empty-rdb.ts";
import { type Directive, directiveValue } from "./user-configuration.ts";

/** Defaults are Redis' own. */
export interface DataFiles {
  readonly dir: string;
  readonly appendonly: boolean;
  readonly appenddirname: string;
  readonly appendfilename: string;
  readonly dbfilename: string;
}

/**
 * As the user's own redis.conf has them.
 *
 * @param keepsLog whether there is an append-only file where that says nothing.
 */
export const readDataFiles = (
  dir: string,
  directives: readonly Directive[],
  keepsLog = false,
): DataFiles => ({
  dir,
  appendonly:
    (directiveValue(directives, "appendonly")?.toLowerCase() ?? (keepsLog ? "yes" : "no")) ===
    "yes",
  appenddirname: directiveValue(directives, "appenddirname") ?? "appendonlydir",
  appendfilename: directiveValue(directives, "appendfilename") ?? "appendonly.aof",
  dbfilename: directiveValue(directives, "dbfilename") ?? "dump.rdb",
});

/** Whether there is any, whatever the configuration would have the server load. */
export const holdsSnapshot = ({ dir, dbfilename }: DataFiles): boolean =>
  holdsBytes(join(dir, dbfilename));

export function holdsAppendOnlyFile({ dir, appenddirname, appendfilename }: DataFiles): boolean {
  // A single file up to 6.2, a folder with a manifest since 7.0.
  const folder = join(dir, appenddirname);
  if (
    existsSync(folder) &&
    readdirSync(folder).some(
      (name) => !name.endsWith(".manifest") && holdsBytes(join(folder, name)),
    )
  )
    return true;
  return holdsBytes(join(dir, appendfilename));
}

/** All that are there, of whatever kind, without the manifests of append-only files. */
export function findDataFiles({
  dir,
  dbfilename,
  appenddirname,
  appendfilename,
}: DataFiles): readonly string[] {
  const folder = join(dir, appenddirname);
  const parts = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder).filter((name) => !name.endsWith(".manifest"))
    : [];
  const single = [dbfilename, appendfilename].map((name) => join(dir, name));
  return [...single, ...parts.map((name) => join(folder, name))].filter((path) => existsSync(path));
}

/** Larger than any snapshot without a key. */
const smallBytes = 1_024;

/** A server that never had a key writes files all the same. */
export function isWithoutKeys(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size === 0 || (size <= smallBytes && isEmptyRdb(readFileSync(path)));
}

function holdsBytes(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
