/**
 * Which process a pid means: ids are used again, a start time with them is not. Both outlive execve.
 */
import { readIfThere } from "./files.ts";

/**
 * `pid starttime` of a living process; undefined for one that has ended, a zombie too, and without /proc.
 * Field 22 of /proc/PID/stat, counted behind the name, which may hold spaces (proc(5)).
 */
export function identifyProcess(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[19] === undefined) return undefined;
  return `${pid} ${fields[19]}`;
}

/** The process that had this identity still runs. */
export function isAlive(identity: string): boolean {
  return identifyProcess(Number(identity.split(" ")[0])) === identity;
}
