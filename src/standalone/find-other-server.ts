/**
 * A server that runs on the data folder and was not started by Rekindle: the folder's lock knows nothing of it. Two servers would
 * write over each other's files.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { RekindleError } from "../errors.ts";

/** A server works in its data folder (`dir`). @throws RekindleError `configuration` naming the process. */
export function requireNoOtherServer(dir: string): void {
  const own = realpathSync(dir);
  for (const pid of listProcesses()) {
    if (pid === process.pid || !isServerIn(pid, own)) continue;
    throw new RekindleError(
      "configuration",
      `process ${pid}, a server, runs on the data folder ${dir}`,
      { hint: "stop it, or name another folder with --dir" },
    );
  }
}

/** Without /proc nobody is found. */
function listProcesses(): readonly number[] {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function isServerIn(pid: number, dir: string): boolean {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, "utf8");
    return /^(redis|valkey)-server/.test(name) && readlinkSync(`/proc/${pid}/cwd`) === dir;
  } catch {
    return false; // Gone meanwhile, or another user's.
  }
}
