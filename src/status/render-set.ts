/**
 * A set's status as text for a terminal of a given width. Pure.
 */

import { formatCount } from "../words.ts";
import { renderNode, renderPlace } from "./cards.ts";
import type { SetStatus } from "./describe-set.ts";
import { coloured, type Paint, plain, wrap } from "./paint.ts";
import { cut, type RenderOptions, renderSentences } from "./render-status.ts";

const headlines = {
  whole: { dye: "green", sign: "●", word: "whole" },
  degraded: { dye: "yellow", sign: "◐", word: "serving, with problems" },
  down: { dye: "red", sign: "✗", word: "not taking writes" },
  unreachable: { dye: "red", sign: "✗", word: "nobody answers" },
} as const;

const widest = 44;

/** @returns lines without a newline at the end. */
export function renderSet(status: SetStatus, options: RenderOptions): string {
  const { width, height = Number.POSITIVE_INFINITY } = options;
  const paint = options.colours ? coloured : plain;
  const dye = status.state === "degraded" ? paint.yellow : paint.red;
  const lines = [
    ...renderHead(status, width, paint),
    ...renderNodes(status, Math.min(width - 2, widest), paint),
    ...renderSentinels(status, width, paint),
    ...renderSentences("what is wrong", status.problems, dye, width, paint),
    ...renderSentences("worth knowing", status.warnings, paint.yellow, width, paint),
  ];
  return cut(lines, height, paint).join("\n");
}

function renderHead(status: SetStatus, width: number, paint: Paint): readonly string[] {
  const { dye, sign, word } = headlines[status.state];
  const state = ` ${paint[dye](sign)} ${paint.bold(paint[dye](word))}`;
  if (status.state === "unreachable") return [state];
  const keys = status.alpha?.keys ?? 0;
  const facts = [
    `${status.set}: ${status.nodes} nodes`,
    `${status.sentinels.filter(({ answers }) => answers).length} Sentinels`,
    `${formatCount(keys)} ${keys === 1 ? "key" : "keys"}`,
  ].join(", ");
  const one = `${state}   ${facts}`;
  return word.length + facts.length + 7 < width
    ? [one]
    : [state, ...wrap(facts, width - 4).map((line) => `   ${line}`)];
}

const renderNodes = (status: SetStatus, width: number, paint: Paint): readonly string[] => [
  "",
  ...[...(status.alpha ? [status.alpha] : []), ...status.betas].flatMap((node) =>
    [...renderNode(node, width, paint), ...renderPlace(node, width).map(paint.dim)].map(
      (line) => ` ${line}`,
    ),
  ),
];

function renderSentinels(status: SetStatus, width: number, paint: Paint): readonly string[] {
  if (status.sentinels.length === 0) return [];
  return [
    "",
    ` ${paint.bold("Sentinels")}`,
    ...status.sentinels.flatMap(({ name, address, answers, alpha }) => {
      const sign = answers ? paint.green("●") : paint.red("✗");
      const says = !answers ? "no answer" : alpha ? `names ${alpha}` : "watches nobody";
      const shown = address === name ? name : `${name} ${address}`;
      return wrap(`${shown} ${says}`, width - 4).map(
        (line, index) => ` ${index === 0 ? sign : " "} ${line}`,
      );
    }),
  ];
}
