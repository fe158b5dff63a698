/** The report of a run: Markdown for people, JSON for programs, a picture of one round. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { server } from "../redis/nodes-under-test.ts";
import { faultKinds } from "./faults.ts";
import type { RoundResult } from "./round.ts";
import { renderTimeline } from "./timeline.ts";

export const resultsFolder = fileURLToPath(new URL("results/", import.meta.url));

export function writeReport(
  results: readonly RoundResult[],
  folder: string,
  command: string,
): void {
  mkdirSync(folder, { recursive: true });
  const told = results.map(({ seconds: _seconds, roles: _roles, strikes, ...rest }) => ({
    ...rest,
    strikes: countStrikes(strikes),
  }));
  const about = { command, commit: commit(), machine: describeMachine() };
  writeFileSync(join(folder, "report.md"), renderMarkdown(results, about));
  writeFileSync(
    join(folder, "report.json"),
    `${JSON.stringify({ about, rounds: told }, round, 1)}\n`,
  );
  const [drawn] = results.toSorted((a, b) => b.episodes.length - a.episodes.length);
  if (drawn) writeFileSync(join(folder, "timeline.svg"), renderTimeline(drawn));
}

/** Fractions of a millisecond tell nobody anything. */
const round = (_key: string, value: unknown): unknown =>
  typeof value === "number" ? Math.round(value * 10) / 10 : value;

function countStrikes(strikes: RoundResult["strikes"]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { kind } of strikes) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

function describeMachine(): string {
  const version = execFileSync(server, ["--version"], { encoding: "utf8" })
    .split(" ")
    .slice(0, 3)
    .join(" ");
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores, ${memory} GB memory, Linux ${release().split("-")[0]}, ${version}, ${new Date().toISOString().slice(0, 10)}`;
}

interface About {
  readonly command: string;
  readonly commit: string;
  readonly machine: string;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

function renderMarkdown(
  results: readonly RoundResult[],
  { command, commit, machine }: About,
): string {
  const total = (which: keyof RoundResult["counts"]) =>
    sum(results.map(({ counts }) => counts[which]));
  const episodes = results.flatMap((result) => result.episodes);
  const minutes = sum(results.map(({ startedMs, endedMs }) => endedMs - startedMs)) / 60_000;
  const strikes = results.flatMap((result) => result.strikes);
  const byStatus = (status: string) => results.filter((result) => result.status === status).length;
  const violations = sum(results.map((result) => result.violations.length));
  const skipped = [...new Set(results.flatMap((result) => result.skipped))];
  const format = (count: number) => count.toLocaleString("en");
  return [
    "# Chaos",
    "",
    `\`${command}\` on commit ${commit}; ${machine}. What each fault is, and what must hold: [the page beside](../README.md).`,
    "",
    `**${results.length} rounds, ${Math.round(minutes)} minutes, ${episodes.length} episodes, ${strikes.length} faults: ${byStatus("passed")} passed, ${byStatus("failed")} failed, ${byStatus("invalid")} invalid; ${violations} violations of the history.**`,
    "",
    "| writes | |",
    "|---|---|",
    `| acknowledged | ${format(total("ok"))} |`,
    `| of them, all betas had it (\`WAIT\`) | ${format(total("copied"))} |`,
    `| refused: did not happen | ${format(total("fail"))} |`,
    `| unknown: the connection broke, or the answer was late | ${format(total("unknown"))} |`,
    `| reads of whole lists | ${format(total("reads"))} |`,
    `| acknowledged and lost, where Redis may | ${format(total("lost"))} |`,
    "",
    ...renderLosses(results),
    "## By fault",
    "",
    "Whole again: from the end of an episode's last fault until all slots are served, every beta is in sync, and nobody lists a dead node. Gap: the longest time without an answered write of an ordinary ioredis client.",
    "",
    "| fault | hit | seen to happen | alone | whole again, median | longest | gap, median | longest |",
    "|---|---|---|---|---|---|---|---|",
    ...faultKinds.flatMap((kind) => renderFault(kind, results)),
    "",
    "## By round",
    "",
    "| seed | set | disk | episodes | acknowledged | lost | longest until whole | result |",
    "|---|---|---|---|---|---|---|---|",
    ...results.map(
      ({ seed, topology, backend, persists, episodes: own, counts, status, reasons }) =>
        `| ${seed} | ${topology}, ${backend} | ${persists ? "yes" : "no"} | ${own.length} | ${format(counts.ok)} | ${counts.lost} | ${seconds(Math.max(0, ...own.map(({ recoveryMs }) => recoveryMs ?? Number.NaN)))} | ${status}${reasons.length > 0 ? `: ${reasons[0]?.slice(0, 300).replaceAll("|", "\\|")}` : ""} |`,
    ),
    "",
    ...(skipped.length > 0
      ? ["Not possible on this machine:", "", ...skipped.map((why) => `- ${why}`), ""]
      : []),
  ].join("\n");
}

function renderLosses(results: readonly RoundResult[]): readonly string[] {
  const byWhy = new Map<string, { count: number; copied: number }>();
  for (const { why, count, copied } of results.flatMap(({ losses }) => losses)) {
    const total = byWhy.get(why) ?? { count: 0, copied: 0 };
    byWhy.set(why, { count: total.count + count, copied: total.copied + copied });
  }
  if (byWhy.size === 0) return [];
  return [
    "| lost by | acknowledged writes | of them, a beta had it |",
    "|---|---|---|",
    ...[...byWhy].map(([why, { count, copied }]) => `| ${why} | ${count} | ${copied} |`),
    "",
  ];
}

function renderFault(kind: string, results: readonly RoundResult[]): readonly string[] {
  const strikes = results.flatMap((result) =>
    result.strikes.filter((strike) => strike.kind === kind),
  );
  if (strikes.length === 0) return [];
  const alone = results.flatMap((result) => result.episodes.filter(({ name }) => name === kind));
  const recoveries = alone.flatMap(({ recoveryMs }) => recoveryMs ?? []);
  const gaps = alone.map(({ felt }) => felt.longestGapMs);
  const observed = strikes.filter((strike) => strike.observed !== undefined).length;
  return [
    `| ${kind} | ${strikes.length} | ${observed} | ${alone.length} | ${seconds(median(recoveries))} | ${seconds(Math.max(...recoveries))} | ${seconds(median(gaps))} | ${seconds(Math.max(...gaps))} |`,
  ];
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const seconds = (ms: number): string => (Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s` : "");
