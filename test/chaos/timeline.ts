/** A round as a picture: what clients were told, which faults there were, who was alpha. For light and dark pages. */
import type { RoundResult } from "./round.ts";

const [width, left, right, chartTop, chart, lane] = [960, 70, 20, 62, 110, 17] as const;

const style = `<style>
svg { font: 12px system-ui, sans-serif; }
.page { fill: #ffffff; } .text { fill: #1f2328; } .faint { fill: #59636e; } .axis { stroke: #94a3b8; }
.ok { fill: #2563eb; } .refused { fill: #d97706; } .unknown { fill: #dc2626; }
.fault { fill: #fca5a5; fill-opacity: .45; } .heal { fill: #fde68a; fill-opacity: .5; }
.alpha { fill: #c2410c; } .beta { fill: #93c5fd; } .sentinel { fill: #a3b18a; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } .text { fill: #f0f6fc; } .faint { fill: #9198a1; } .axis { stroke: #57606a; }
.ok { fill: #60a5fa; } .fault { fill: #ef4444; fill-opacity: .4; } .heal { fill: #ca8a04; fill-opacity: .35; }
.alpha { fill: #fb923c; } .beta { fill: #1d4ed8; } .sentinel { fill: #6b8f5e; }
}
</style>`;

export function renderTimeline(result: RoundResult): string {
  const { startedMs, endedMs, seconds, episodes, roles, strikes, seed, topology, persists } =
    result;
  const names = [...new Set(roles.map(({ name }) => name))].sort();
  const faultLane = 18;
  const rolesTop = chartTop + chart + 30 + faultLane * 2;
  const height = rolesTop + names.length * lane + 46;
  const x = (ms: number) =>
    left + ((ms - startedMs) / (endedMs - startedMs)) * (width - left - right);
  const most = Math.max(1, ...seconds.map(({ ok, fail, unknown }) => ok + fail + unknown));
  const tall = (count: number) => (count / most) * chart;
  const rect = (className: string, from: number, to: number, y: number, high: number, title = "") =>
    `<rect class="${className}" x="${from.toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(0.8, to - from).toFixed(1)}" height="${high.toFixed(1)}">${title && `<title>${escapeXml(title)}</title>`}</rect>`;
  const bottom = chartTop + chart;
  const bars = seconds.flatMap((second, index) => {
    const [from, to] = [x(startedMs + index * 1_000), x(startedMs + (index + 1) * 1_000)];
    let y = bottom;
    return (["ok", "fail", "unknown"] as const).flatMap((which) => {
      const high = tall(second[which]);
      y -= high;
      return high > 0 ? [rect(which === "fail" ? "refused" : which, from, to, y, high)] : [];
    });
  });
  const bands = episodes.flatMap(({ startedMs: from, endedMs: to, recoveryMs = 0, what }) => {
    const healed = to - recoveryMs;
    return [
      rect("fault", x(from), x(healed), chartTop, height - chartTop - 40, what.join(" + ")),
      rect("heal", x(healed), x(to), chartTop, height - chartTop - 40, "until all is whole"),
    ];
  });
  // In two rows, as neighbours would overlap.
  const labels = episodes.map(({ startedMs: from, name }, index) => {
    const y = bottom + 22 + (index % 2) * faultLane;
    return `<text class="text" font-size="11" x="${x(from).toFixed(1)}" y="${y}">${escapeXml(name)}</text>`;
  });
  const rows = names.flatMap((name, index) => {
    const y = rolesTop + index * lane;
    const own = roles.filter((role) => role.name === name);
    return [
      `<text class="faint" x="${left - 8}" y="${y + 10}" text-anchor="end">${name}</text>`,
      ...own.flatMap(({ role, atMs }, at) =>
        role === "unknown"
          ? []
          : [rect(role, x(atMs), x(own[at + 1]?.atMs ?? endedMs), y, lane - 5, `${name}: ${role}`)],
      ),
    ];
  });
  const step = endedMs - startedMs > 240_000 ? 60 : 20;
  const ticks = Array.from(
    { length: Math.ceil((endedMs - startedMs) / 1_000 / step) },
    (_, index) => {
      const at = x(startedMs + index * step * 1_000).toFixed(1);
      return `<text class="faint" x="${at}" y="${height - 22}" text-anchor="middle">${index * step} s</text>`;
    },
  );
  const legend = [
    ["ok", "acknowledged"],
    ["refused", "refused"],
    ["unknown", "unknown"],
    ["fault", "fault"],
    ["heal", "until whole"],
    ["alpha", "alpha"],
    ["beta", "beta"],
  ].map(
    ([name, text], index) =>
      `<rect class="${name}" x="${left + index * 112}" y="${height - 14}" width="10" height="10"/><text class="faint" x="${left + 15 + index * 112}" y="${height - 5}">${text}</text>`,
  );
  const title = `Chaos, seed ${seed}: ${topology}, ${persists ? "with" : "without"} a disk; ${strikes.length} faults in ${Math.round((endedMs - startedMs) / 1_000)} s`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>${escapeXml(title)}</title>
${style}
<rect class="page" width="${width}" height="${height}" rx="6"/>
<text class="text" x="${left}" y="28" font-size="16" font-weight="600">${escapeXml(title)}</text>
<text class="faint" x="${left}" y="48">writes a second, at most ${most}; below, who is alpha and who is beta</text>
${[...bands, ...bars, ...labels, ...rows, ...ticks, ...legend].join("\n")}
<line class="axis" x1="${left}" y1="${bottom}" x2="${width - right}" y2="${bottom}"/>
</svg>
`;
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
