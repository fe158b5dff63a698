/**
 * A plan as a table: each setting, what it is, what it shall be, and how it gets there. Pure.
 */
import { type Difference, show } from "./compare.ts";
import type { Plan } from "./plan.ts";

export function renderPlan({ users, settings, restart, drift, waiting }: Plan): string {
  const row = (how: string) => (one: Difference) => [
    one.name,
    show(one.name, one.running),
    show(one.name, one.wanted),
    how,
  ];
  const rows = [
    ...settings.map(row("live")),
    ...users.map(({ name, rules, isLast }) => [
      `user ${name}`,
      "***",
      rules === undefined ? "none" : "***",
      isLast ? "live" : "live, the old password too",
    ]),
    ...restart.map(row("restart")),
    ...drift.map(row("set by hand; left, without --enforce")),
  ];
  if (rows.length + waiting.length === 0) return "the server is as the file wants it\n";
  const heads = ["setting", "running", "file", "how"];
  const table = rows.length === 0 ? [] : align([heads, ...rows]);
  return [...table, ...waiting.map((why) => `later: ${why}`), ""].join("\n");
}

function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
