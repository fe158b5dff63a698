/** A client's requests over time, and below them what happened meanwhile, as an SVG picture. */

export interface Timeline {
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly reports: readonly { readonly at: string; readonly writes: number }[];
  readonly told: readonly { readonly at: number; readonly reason: string; readonly pod: string }[];
}

const [width, left, top, chart] = [900, 60, 56, 120];
const lanes = [
  { reason: "Joined", text: "joined", colour: "#15803d" },
  { reason: "HandingOver", text: "handed over", colour: "#c2410c" },
  { reason: "Drained", text: "left", colour: "#64748b" },
] as const;

export function renderTimeline({ title, startedAt, endedAt, reports, told }: Timeline): string {
  const lane = 26;
  const height = top + chart + 40 + lanes.length * lane + 20;
  const x = (at: number) => left + ((at - startedAt) / (endedAt - startedAt)) * (width - left - 20);
  const rates = reports
    .slice(1)
    .map(({ at, writes }, index) => ({
      at: Date.parse(at),
      rate: writes - (reports[index]?.writes ?? 0),
    }))
    .filter(({ at }) => at >= startedAt && at <= endedAt);
  const most = Math.max(1, ...rates.map(({ rate }) => rate));
  const y = (rate: number) => top + chart - (rate / most) * chart;
  const line = rates.map(({ at, rate }) => `${x(at).toFixed(1)},${y(rate).toFixed(1)}`).join(" ");
  const seconds = Math.ceil((endedAt - startedAt) / 10_000);
  const ticks = Array.from({ length: seconds }, (_, index) => {
    const at = x(startedAt + index * 10_000).toFixed(1);
    return `<line x1="${at}" y1="${top + chart}" x2="${at}" y2="${top + chart + 5}" stroke="#94a3b8"/><text x="${at}" y="${top + chart + 18}" text-anchor="middle" fill="#57606a">${index * 10} s</text>`;
  });
  const marks = lanes.flatMap(({ reason, text, colour }, index) => {
    const at = top + chart + 44 + index * lane;
    const dots = told
      .filter((one) => one.reason === reason)
      .map(
        (one) =>
          `<circle cx="${x(one.at).toFixed(1)}" cy="${at - 4}" r="5" fill="${colour}"><title>${one.pod}</title></circle>`,
      );
    return [
      `<text x="${left - 8}" y="${at}" text-anchor="end" fill="${colour}">${text}</text>`,
      ...dots,
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + 40} ${height}" width="${width + 40}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${title}</title>
<rect width="${width + 40}" height="${height}" fill="#ffffff"/>
<g transform="translate(30 0)">
<text x="${left}" y="26" font-size="16" font-weight="600" fill="#1f2328">${title}</text>
<text x="${left - 8}" y="${top + 8}" text-anchor="end" fill="#57606a">${most}/s</text>
<text x="${left - 8}" y="${top + chart}" text-anchor="end" fill="#57606a">writes</text>
<line x1="${left}" y1="${top + chart}" x2="${width - 20}" y2="${top + chart}" stroke="#94a3b8"/>
<polyline points="${line}" fill="none" stroke="#2563eb" stroke-width="2"/>
${[...ticks, ...marks].join("\n")}
</g>
</svg>
`;
}
