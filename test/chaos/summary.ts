/** Figures of a round, from what was recorded. Pure. */

import type { Demotion } from "./allowed-loss.ts";
import type { Loss } from "./check-history.ts";
import type { Strike } from "./faults.ts";
import type { History } from "./history.ts";
import type { Monitor } from "./monitor.ts";
import type { Ending } from "./supervised.ts";

export interface Counts {
  readonly ok: number;
  readonly fail: number;
  readonly unknown: number;
  readonly reads: number;
  /** Writes that all betas had by the word of WAIT. */
  readonly copied: number;
  readonly lost: number;
}

/** What clients were told in one second of the round. */
export interface Second {
  readonly ok: number;
  readonly fail: number;
  readonly unknown: number;
}

export function summarize({ writes, reads }: History, losses: readonly Loss[], startedMs: number) {
  const count = (result: string) => writes.filter((write) => write.result === result).length;
  const seconds: { ok: number; fail: number; unknown: number }[] = [];
  for (const { returnMs, result } of writes) {
    const at = Math.floor((returnMs - startedMs) / 1_000);
    while (seconds.length <= at) seconds.push({ ok: 0, fail: 0, unknown: 0 });
    const second = seconds[at];
    if (second) second[result]++;
  }
  const byWhy = new Map<string, { why: string; count: number; copied: number }>();
  for (const { why, write } of losses) {
    const sum = byWhy.get(why) ?? { why, count: 0, copied: 0 };
    sum.count++;
    if ((write.copies ?? 0) > 0) sum.copied++;
    byWhy.set(why, sum);
  }
  return {
    counts: {
      ok: count("ok"),
      fail: count("fail"),
      unknown: count("unknown"),
      reads: reads.length,
      copied: writes.filter(({ copies }) => (copies ?? 0) > 0).length,
      lost: losses.length,
    },
    seconds,
    losses: [...byWhy.values()],
  };
}

/** Alphas that became betas, with how late the harness was around then. */
export function demotionsOf({
  changes,
  lagSince,
}: Pick<Monitor, "changes" | "lagSince">): readonly Demotion[] {
  const last = new Map<string, string>();
  return changes.flatMap(({ name, role, atMs }) => {
    const before = last.get(name);
    if (role !== "unknown") last.set(name, role);
    return before === "alpha" && role === "beta"
      ? [{ node: name, atMs, lagMs: lagSince(atMs - 10_000) }]
      : [];
  });
}

/** How processes ended. A defect, a crash of the server, and a kill that nobody sent are told apart. */
export function judgeEndings(endings: readonly Ending[], strikes: readonly Strike[]) {
  const counts: Record<string, number> = {};
  const [defects, unexplained]: [string[], string[]] = [[], []];
  for (const { name, code, signal, isOurs, atMs } of endings) {
    const how = isOurs ? "by the harness" : signal ? `by ${signal}` : `with ${code}`;
    counts[how] = (counts[how] ?? 0) + 1;
    if (isOurs) continue;
    const isOutOfMemory = strikes.some(
      ({ kind, node, startedMs, endedMs }) =>
        kind === "out-of-memory" && node === name && atMs >= startedMs && atMs <= endedMs + 1_000,
    );
    // Redis' own rule: a beta that cannot write what it was sent ends itself (replica-ignore-disk-write-errors).
    const isFull = strikes.some(({ kind, node }) => kind === "disk-full" && node === name);
    if (signal === "SIGABRT" && isFull) continue;
    if (code === 70) defects.push(`a defect of Rekindle ended ${name}`);
    else if (signal === "SIGKILL" && !isOutOfMemory)
      unexplained.push(`${name} was killed by somebody else`);
    else if (signal === "SIGSEGV" || signal === "SIGABRT")
      defects.push(`${name} crashed by ${signal}`);
  }
  return { counts, defects: [...new Set(defects)], unexplained };
}
