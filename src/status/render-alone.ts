/**
 * The status of one server alone as text for a terminal of a given width. Pure.
 */
import { formatBytes, formatCount } from "../words.ts";
import type { AloneStatus } from "./describe-alone.ts";
import { coloured, plain, wrap } from "./paint.ts";
import { cut, type RenderOptions, renderSentences } from "./render-status.ts";

const headlines = {
  whole: { dye: "green", sign: "●", word: "serving" },
  degraded: { dye: "yellow", sign: "◐", word: "serving, with problems" },
  down: { dye: "red", sign: "✗", word: "not serving yet" },
  unreachable: { dye: "red", sign: "✗", word: "it does not answer" },
} as const;

const kept = {
  "append-only file": "kept in an append-only file",
  snapshots: "kept in snapshots",
  nothing: "in memory only",
} as const;

/** @returns lines without a newline at the end. */
export function renderAlone(status: AloneStatus, options: RenderOptions): string {
  const { width, height = Number.POSITIVE_INFINITY, colours } = options;
  const paint = colours ? coloured : plain;
  const { dye, sign, word } = headlines[status.state];
  const facts = [
    `one server at ${status.address}`,
    `${formatCount(status.keys)} ${status.keys === 1 ? "key" : "keys"}`,
    formatBytes(status.memoryBytes),
    kept[status.keeps],
  ].join(", ");
  const dyeOfProblems = status.state === "degraded" ? paint.yellow : paint.red;
  return cut(
    [
      ` ${paint[dye](sign)} ${paint.bold(paint[dye](word))}`,
      ...(status.state === "unreachable" ? [] : wrap(facts, width - 4).map((line) => `   ${line}`)),
      ...renderSentences("what is wrong", status.problems, dyeOfProblems, width, paint),
      ...renderSentences("worth knowing", status.warnings, paint.yellow, width, paint),
    ],
    height,
    paint,
  ).join("\n");
}
