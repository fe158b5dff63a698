/**
 * Which process a pid means: ids are used again, a start time with them is not. Both outlive execve.
 */
import { execFileSync } from "node:child_process";
import { readIfThere } from "./files.ts";

/**
 * `pid starttime` of a living process; undefined for one that has ended, a zombie too. Field 22 of /proc/PID/stat, counted
 * behind the name, which may hold spaces (proc(5)); without /proc, the date that ps tells.
 */
export function identifyProcess(pid: number): string | undefined {
  if (process.platform !== "linux") return askPs(pid);
  const stat = readIfThere(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[19] === undefined) return undefined;
  return `${pid} ${fields[19]}`;
}

/** The process that had this identity still runs. */
export function isAlive(identity: string): boolean {
  return identifyProcess(Number(identity.split(" ")[0])) === identity;
}

export function askPs(pid: number): string | undefined {
  try {
    const [state = "Z", ...startedAt] = execFileSync(
      "ps",
      ["-o", "stat=,lstart=", "-p", `${pid}`],
      // A date in words depends on the language.
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: { PATH: process.env.PATH, LC_ALL: "C" },
      },
    )
      .trim()
      .split(/\s+/);
    return state.startsWith("Z") ? undefined : `${pid} ${startedAt.join(" ")}`;
  } catch {
    return undefined; // ps fails where there is no such process.
  }
}
