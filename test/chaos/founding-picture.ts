/** What each node was, over a second or two, as an SVG picture for light and dark pages. */

export type Being = "gone" | "deciding" | "alpha" | "beta";

export interface Act {
  readonly title: string;
  /** Since its beginning, as are all times. */
  readonly wholeMs: number;
  readonly endedMs: number;
  readonly lanes: readonly {
    readonly name: string;
    readonly changes: readonly { readonly atMs: number; readonly being: Being }[];
  }[];
}

const [width, left, right, lane] = [920, 64, 24, 20] as const;
const legend: readonly { readonly being: Being; readonly text: string; readonly at: number }[] = [
  { being: "gone", text: "no process", at: 0 },
  { being: "deciding", text: "Rekindle decides, and the server starts", at: 110 },
  { being: "alpha", text: "alpha", at: 380 },
  { being: "beta", text: "beta", at: 450 },
];

const style = `<style>
svg { font: 12px system-ui, sans-serif }
.card { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .faint { fill: #59636e } .axis { stroke: #818b98 }
.gone { fill: #ffffff; stroke: #d1242f; stroke-dasharray: 3 2 } .deciding { fill: #eac54f } .alpha { fill: #c2410c } .beta { fill: #60a5fa } .whole { stroke: #1a7f37; stroke-width: 2 } .good { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .faint { fill: #9198a1 }
.gone { fill: #0d1117; stroke: #ff7b72 } .deciding { fill: #9e6a03 } .alpha { fill: #fb923c } .beta { fill: #1f6feb } .whole { stroke: #3fb950 } .good { fill: #3fb950 }
}
</style>`;

export function renderActs(acts: readonly Act[]): string {
  let height = 16;
  const panels = acts.map((act) => {
    const panel = renderAct(act, height);
    height += 58 + act.lanes.length * lane + 26;
    return panel;
  });
  height += 28;
  const keys = legend.map(
    ({ being, text, at }) =>
      `<rect class="${being}" x="${left + at}" y="${height - 26}" width="10" height="10"/><text class="faint" x="${left + at + 16}" y="${height - 17}">${text}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>A cluster is founded, and heals</title>
${style}
<rect class="card" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>
${[...panels, ...keys].join("\n")}
</svg>
`;
}

function renderAct({ title, wholeMs, endedMs, lanes }: Act, top: number): string {
  const x = (ms: number) => left + (ms / endedMs) * (width - left - right);
  const [first, base] = [top + 50, top + 50 + lanes.length * lane];
  const rows = lanes.flatMap(({ name, changes }, index) => {
    const y = first + index * lane;
    return [
      `<text class="faint" x="${left - 8}" y="${y + 13}" text-anchor="end">${name}</text>`,
      ...changes.map(({ atMs, being }, at) => {
        const from = x(atMs);
        const to = x(changes[at + 1]?.atMs ?? endedMs);
        return `<rect class="${being}" x="${from.toFixed(1)}" y="${y + 2}" width="${(to - from).toFixed(1)}" height="${lane - 5}"/>`;
      }),
    ];
  });
  const step = endedMs > 1_500 ? 500 : 100;
  const ticks = Array.from({ length: Math.floor(endedMs / step) + 1 }, (_, index) => {
    const at = x(index * step).toFixed(1);
    return `<line class="axis" x1="${at}" y1="${base}" x2="${at}" y2="${base + 4}"/><text class="faint" x="${at}" y="${base + 17}" text-anchor="middle">${index * step} ms</text>`;
  });
  const whole = x(wholeMs).toFixed(1);
  return [
    `<text class="text" x="20" y="${top + 16}" font-size="14" font-weight="600">${title}</text>`,
    ...rows,
    `<line class="axis" x1="${left}" y1="${base}" x2="${width - right}" y2="${base}"/>`,
    ...ticks,
    `<line class="whole" x1="${whole}" y1="${first - 4}" x2="${whole}" y2="${base}"/>`,
    `<text class="good" x="${whole}" y="${first - 8}" text-anchor="end" font-weight="600">whole: ${Math.round(wholeMs)} ms</text>`,
  ].join("\n");
}
