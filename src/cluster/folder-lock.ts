/**
 * One node a data folder. The lock names a process by its id and its start time, and both outlive execve: while the server
 * that we became runs, the lock holds, and it is void as soon as that process ends, however it ends.
 */
import { join } from "node:path";
import { RekindleError } from "../errors.ts";
import { readIfThere, writeWhole } from "../files.ts";
import { identifyProcess, isAlive } from "../process-identity.ts";

const lockFile = "rekindle.lock";

/** @throws RekindleError `configuration` where a living process holds the folder. */
export function lockFolder(dir: string): void {
  const path = join(dir, lockFile);
  const own = identifyProcess(process.pid);
  const holder = holderOf(dir);
  if (holder !== undefined && holder !== own && isAlive(holder)) {
    throw new RekindleError(
      "configuration",
      `the data folder ${dir} is in use by process ${holder.split(" ")[0]}`,
      { hint: "give every node a folder of its own with --dir" },
    );
  }
  if (own !== undefined) writeWhole(path, `${own}\n`, 0o600);
}

/** `pid starttime` of the process that holds the folder, or held it last. */
export function holderOf(dir: string): string | undefined {
  return readIfThere(join(dir, lockFile))?.trim() || undefined;
}
