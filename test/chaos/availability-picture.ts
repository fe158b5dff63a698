/** Writes per second, answered and failed, of the same life with Rekindle and without, as an SVG picture for light and dark pages. */

import { requestsStyle } from "../bench/picture-style.ts";

export interface Life {
  readonly way: "rekindle" | "plain";
  readonly endedMs: number;
  readonly events: readonly {
    readonly text: string;
    readonly fromMs: number;
    readonly toMs: number;
  }[];
  /** One for each half of a second. */
  readonly counts: readonly { readonly ok: number; readonly failed: number }[];
}

const [width, left, right, top, chart, panel] = [920, 64, 24, 66, 110, 190] as const;
const headings: Readonly<Record<Life["way"], string>> = {
  rekindle: "With Rekindle",
  plain: "Plain redis-server, from the same start",
};

export function renderAvailability(lives: readonly Life[]): string {
  const longestMs = Math.max(...lives.map(({ endedMs }) => endedMs));
  const most = Math.max(
    1,
    ...lives.flatMap(({ counts }) => counts.map(({ ok, failed }) => ok + failed)),
  );
  const height = top + lives.length * panel;
  const title = "A client's writes while all nodes are updated and two alphas are lost";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>${title}</title>
${requestsStyle}
<rect class="card" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>
<text class="text" x="20" y="28" font-size="16" font-weight="600">${title}</text>
<text class="faint" x="20" y="49">writes per second: <tspan class="fine">■</tspan> answered <tspan class="failed">■</tspan> failed, <tspan class="event" style="fill-opacity:1">■</tspan> until the node that came back is ready, 20 s at most</text>
${lives.map((life, index) => renderLife(life, top + index * panel, longestMs, most)).join("\n")}
</svg>
`;
}

function renderLife(life: Life, at: number, longestMs: number, most: number): string {
  const base = at + 46 + chart;
  const x = (ms: number) => left + (ms / longestMs) * (width - left - right);
  const tall = (count: number) => (count / most) * chart;
  const rect = (kind: string, from: number, to: number, y: number, high: number) =>
    `<rect class="${kind}" x="${x(from).toFixed(1)}" y="${y.toFixed(1)}" width="${(x(to) - x(from)).toFixed(1)}" height="${high.toFixed(1)}"/>`;
  const bars = life.counts.flatMap(({ ok, failed }, index) => {
    const [from, to] = [index * 500, (index + 1) * 500];
    const bar = (kind: string, below: number, count: number) =>
      count === 0 ? [] : [rect(kind, from, to, base - tall(below + count), tall(count))];
    return [...bar("fine", 0, ok), ...bar("failed", ok, failed)];
  });
  const ticks = Array.from({ length: Math.floor(longestMs / 20_000) + 1 }, (_, index) => {
    const tick = x(index * 20_000).toFixed(1);
    return `<line class="axis" x1="${tick}" y1="${base}" x2="${tick}" y2="${base + 4}"/><text class="faint" x="${tick}" y="${base + 17}" text-anchor="middle">${index * 20} s</text>`;
  });
  return [
    `<text class="text" x="${left}" y="${at + 16}" font-weight="600" font-size="13">${headings[life.way]}</text>`,
    ...life.events.flatMap(({ text, fromMs, toMs }) => [
      rect("event", fromMs, toMs, at + 40, chart + 6),
      `<text class="text" x="${x(fromMs).toFixed(1)}" y="${at + 35}" font-size="11">${text}</text>`,
    ]),
    `<text class="faint" x="${left - 6}" y="${base - chart + 10}" text-anchor="end">${most * 2}/s</text>`,
    ...bars,
    `<line class="axis" x1="${left}" y1="${base}" x2="${width - right}" y2="${base}"/>`,
    ...ticks,
  ].join("\n");
}
