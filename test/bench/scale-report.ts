/** What ab has to say of each event of the scale test, as it prints it and as a table. */
import type { Attacked, Second } from "../kubernetes/attack-under-test.ts";
import type { Way } from "../kubernetes/scale-under-test.ts";

export interface Trial extends Attacked {
  readonly way: Way;
  /** What happened. */
  readonly name: string;
  /** Of the event, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Why not all was as it should be when the time was up; undefined where it was. */
  readonly trouble?: string | undefined;
}

export interface Figures {
  readonly complete: number;
  readonly failed: number;
  readonly not2xx: number;
  readonly longestMs: number;
  /** Runs of ab that it broke off. */
  readonly gaveUp: number;
  readonly tookMs: number;
}

/** All runs of ab together. */
export function figuresOf({ runs, startedAt, endedAt }: Trial): Figures {
  // Where there is none, ab does not print the line.
  const read = (pattern: RegExp) =>
    runs.map(({ report }) => Number(pattern.exec(report)?.[1] ?? Number.NaN) || 0);
  const sum = (pattern: RegExp) => read(pattern).reduce((total, one) => total + one, 0);
  return {
    complete: sum(/^Complete requests: +(\d+)/m),
    failed: sum(/^Failed requests: +(\d+)/m),
    not2xx: sum(/^Non-2xx responses: +(\d+)/m),
    longestMs: Math.max(...read(/^ *100% +(\d+) \(longest request\)/m)),
    gaveUp: runs.filter(({ exitCode }) => exitCode !== 0).length,
    tookMs: endedAt - startedAt,
  };
}

export const show = (value: number): string => value.toLocaleString("en");
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;

/** Everything, in ab's words. */
export function renderReports(trials: readonly Trial[]): string {
  return trials
    .map((trial) => {
      const { fine, failed } = totalOf(trial);
      return [
        `## ${trial.name}: ${trial.way}`,
        "",
        `${trial.trouble === undefined ? "Done" : `Not done (${trial.trouble.slice(0, 300)})`} after ${seconds(trial.endedAt - trial.startedAt)}. Second by second: ${show(fine)} answers of 200, ${show(failed)} failures.`,
        ...trial.runs.flatMap(({ report, exitCode }) => [
          "",
          "```",
          ...report.split("\n"),
          ...(exitCode === 0 ? [] : [`(ab ended with ${exitCode})`]),
          "```",
        ]),
        "",
      ].join("\n");
    })
    .join("\n");
}

export function totalOf({ seconds }: Attacked): { fine: number; failed: number } {
  return {
    fine: seconds.reduce((sum, { fine }) => sum + fine, 0),
    failed: seconds.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** Between the first answer and the last. */
function silentSeconds({ seconds }: Attacked): number {
  const hasAnswer = ({ fine }: Second) => fine > 0;
  const between = seconds.slice(seconds.findIndex(hasAnswer), seconds.findLastIndex(hasAnswer));
  return between.filter((one) => !hasAnswer(one)).length;
}

export function renderTable(trials: readonly Trial[], requests: number, machine: string): string {
  const row = (...cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const figures = (trial: Trial): readonly string[] => {
    const { complete, failed, not2xx, longestMs, tookMs } = figuresOf(trial);
    const counts = [show(complete), `**${show(failed)}**`, `**${show(not2xx)}**`];
    const done = trial.trouble === undefined ? seconds(tookMs) : `not within ${seconds(tookMs)}`;
    return [done, ...counts, seconds(longestMs), `${silentSeconds(trial)}`];
  };
  const ab = ["Complete requests", "Failed requests", "Non-2xx responses", "longest request"];
  const heads = ["done after", ...ab, "seconds without an answer"];
  return [
    row(`\`ab -n ${requests} -c 10\` while`, "", ...heads),
    row(...Array<string>(heads.length + 2).fill("---")),
    ...[...new Set(trials.map(({ name }) => name))].flatMap((name) =>
      trials
        .filter((one) => one.name === name)
        .map((one, index) => row(index === 0 ? name : "", one.way, ...figures(one))),
    ),
    "",
    machine,
  ].join("\n");
}
