/**
 * One node a data folder. The lock names a process by its id and its start time, and both outlive execve: while the server
 * that we became runs, the lock holds, and it is void as soon as that process ends, however it ends.
 */
import { join } from "node:path";
import { RekindleError } from "../errors.ts";
import { readIfThere, writeWhole } from "../files.ts";

const lockFile = "rekindle.lock";

/** @throws RekindleError `configuration` where a living process holds the folder. */
export function lockFolder(dir: string): void {
  const path = join(dir, lockFile);
  const holder = readIfThere(path)?.trim();
  if (
    holder !== undefined &&
    holder !== "" &&
    isAlive(holder) &&
    holder !== identify(process.pid)
  ) {
    throw new RekindleError(
      "configuration",
      `the data folder ${dir} is in use by process ${holder.split(" ")[0]}`,
      {
        hint: "give every node a folder of its own with --dir",
      },
    );
  }
  const own = identify(process.pid);
  if (own !== undefined) writeWhole(path, `${own}\n`, 0o600);
}

function isAlive(holder: string): boolean {
  return identify(Number(holder.split(" ")[0])) === holder;
}

/** `pid starttime`; field 22 of /proc/PID/stat, counted behind the name, which may hold spaces. Undefined without /proc. */
function identify(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const startTime = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return startTime === undefined ? undefined : `${pid} ${startTime}`;
}
