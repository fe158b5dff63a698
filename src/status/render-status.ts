/**
 * A cluster's status as text for a terminal of a given width: one line that says it all, the shards side by side, and what
 * is wrong in words. Pure.
 */
import { slotCount } from "../cluster/nodes.ts";
import { formatCount } from "../words.ts";
import { renderCards } from "./cards.ts";
import type { Status } from "./describe-status.ts";
import { coloured, type Paint, plain, spread, widthOf, wrap } from "./paint.ts";
import { renderRows } from "./rows.ts";

export interface RenderOptions {
  /** Columns of the terminal. */
  readonly width: number;
  /** Its lines, where no more than that may be drawn. */
  readonly height?: number;
  readonly colours: boolean;
}

/** @returns lines without a newline at the end. */
export function renderStatus(status: Status, options: RenderOptions): string {
  const { width, height = Number.POSITIVE_INFINITY } = options;
  const paint = options.colours ? coloured : plain;
  const cards = renderCards(status.shards, width, paint);
  const cardsEnd = Math.max(0, ...cards.map(widthOf));
  const head = renderHead(status, width, cardsEnd, paint);
  const dye = status.state === "degraded" ? paint.yellow : paint.red;
  const tail = [
    ...renderSentences("what is wrong", status.problems, dye, width, paint),
    ...renderSentences("worth knowing", status.warnings, paint.yellow, width, paint),
  ];
  const fits = head.length + cards.length + tail.length <= height;
  const body = fits ? cards : renderRows(status.shards, width, paint);
  return cut([...head, ...body, ...tail], height, paint).join("\n");
}

const headlines = {
  whole: { dye: "green", sign: "●", word: "whole" },
  degraded: { dye: "yellow", sign: "◐", word: "serving, with problems" },
  down: { dye: "red", sign: "✗", word: "not serving all slots" },
  unreachable: { dye: "red", sign: "✗", word: "nobody answers" },
} as const;

/** The state in words, and how much there is; the epoch ends where the cards end. */
function renderHead(
  status: Status,
  width: number,
  cardsEnd: number,
  paint: Paint,
): readonly string[] {
  const { dye, sign, word } = headlines[status.state];
  const state = ` ${paint[dye](sign)} ${paint.bold(paint[dye](word))}`;
  if (status.state === "unreachable") return [state];
  const keys = status.shards.reduce((sum, shard) => sum + shard.alpha.keys, 0);
  const all = status.slotsServed === slotCount;
  const facts = [
    `${status.shards.length} shards`,
    `${status.nodes} nodes`,
    all
      ? `all ${formatCount(slotCount)} slots`
      : `${formatCount(status.slotsServed)} of ${formatCount(slotCount)} slots`,
    `${formatCount(keys)} ${keys === 1 ? "key" : "keys"}`,
  ].join(", ");
  const epoch = `epoch ${status.epoch}`;
  const left = `${state}   ${facts}`;
  const needed = widthOf(left) + 3 + epoch.length;
  if (needed < width) return [spread(left, paint.dim(epoch), Math.max(needed, cardsEnd))];
  return [state, ...wrap(`${facts}, ${epoch}`, width - 4).map((line) => `   ${line}`)];
}

export function renderSentences(
  title: string,
  sentences: readonly string[],
  dye: Paint["red"],
  width: number,
  paint: Paint,
): readonly string[] {
  if (sentences.length === 0) return [];
  return [
    "",
    ` ${paint.bold(title)}`,
    ...sentences.flatMap((sentence) =>
      wrap(sentence, width - 4).map((line, index) => ` ${index === 0 ? dye("!") : " "} ${line}`),
    ),
  ];
}

export function cut(lines: readonly string[], height: number, paint: Paint): readonly string[] {
  if (lines.length <= height) return lines;
  const hidden = lines.length - height + 1;
  return [
    ...lines.slice(0, height - 1),
    paint.dim(` … ${hidden} more lines; a taller window shows them`),
  ];
}
