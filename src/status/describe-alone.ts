/**
 * One server alone, as a person wants to know it: what it holds, and whether that would outlive a restart. Pure.
 */
import { formatAddress } from "../address.ts";
import type { Shown } from "./describe-status.ts";
import type { PeerSight } from "./read-alone.ts";

export interface AloneStatus extends Shown {
  readonly name: string;
  readonly address: string;
  readonly keys: number;
  readonly memoryBytes: number;
  /** What a restart brings back. */
  readonly keeps: "append-only file" | "snapshots" | "nothing";
  readonly warnings: readonly string[];
}

export function describeAlone({ name, address, info, why, savePoints }: PeerSight): AloneStatus {
  const at = address ? formatAddress(address) : name;
  if (info === undefined) {
    const nothing = { keys: 0, memoryBytes: 0, keeps: "nothing" } as const;
    const problems = [`${name} does not answer: ${why}`];
    return { state: "unreachable", name, address: at, ...nothing, problems, warnings: [] };
  }
  const number = (key: string) => Number(info.get(key) ?? 0);
  const isLogging = info.get("aof_enabled") === "1";
  const keeps = isLogging ? "append-only file" : savePoints !== "" ? "snapshots" : "nothing";
  const problems = findProblems(info);
  return {
    state: info.get("loading") === "1" ? "down" : problems.length > 0 ? "degraded" : "whole",
    name,
    address: at,
    keys: countKeys(info),
    memoryBytes: number("used_memory"),
    keeps,
    problems,
    warnings: keeps === "nothing" ? ["nothing is saved: a restart loses all data"] : [],
  };
}

const countKeys = (info: ReadonlyMap<string, string>): number =>
  [...info].reduce(
    (sum, [name, value]) =>
      /^db\d+$/.test(name) ? sum + Number(/keys=(\d+)/.exec(value)?.[1] ?? 0) : sum,
    0,
  );

/** INFO persistence; each makes the server refuse writes, or keep old data only. */
function findProblems(info: ReadonlyMap<string, string>): readonly string[] {
  const failed = (key: string) => (info.get(key) ?? "ok") !== "ok";
  return [
    ...(info.get("loading") === "1"
      ? [`it loads its data: ${Math.floor(Number(info.get("loading_loaded_perc") ?? 0))} %`]
      : []),
    ...(failed("aof_last_write_status")
      ? ["the append-only file cannot be written: writes are refused; is the disk full?"]
      : []),
    ...(failed("aof_last_bgrewrite_status")
      ? ["the last rewrite of the append-only file failed; is there room for it?"]
      : []),
    ...(failed("rdb_last_bgsave_status")
      ? ["the last snapshot failed, and writes may be refused for it; is there room for it?"]
      : []),
  ];
}
