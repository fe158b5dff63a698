/**
 * Where a server keeps its data, and what of it the next start would load.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
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

function holdsBytes(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
