/**
 * Requests per second and failures, a panel for each event, as an SVG picture. All panels of both pictures have one scale, in both
 * directions: they can be laid beside each other.
 */
import type { Way } from "../kubernetes/scale-under-test.ts";
import { requestsStyle } from "./picture-style.ts";
import { figuresOf, show, type Trial } from "./scale-report.ts";

const [width, left, right, top, chart, panel] = [920, 64, 24, 72, 76, 136];
/** Ten connections that wait fail seldom: few, beside thousands of answers, are to be seen as well. */
const failedAtLeast = 12;
const headings: Readonly<Record<Way, string>> = {
  rekindle: "Rekindle: a changed file is applied, or the nodes are restarted one by one",
  "kill all": "The usual way: a changed file kills every process, and all start again",
};

const beginOf = ({ seconds }: Trial): number =>
  (seconds.find(({ fine, failed }) => fine + failed > 0)?.at ?? 0) - 1_000;
const lengthOf = (trial: Trial): number => (trial.seconds.at(-1)?.at ?? 0) - beginOf(trial);

/** @param trials of all ways, for the scale. */
export function renderScale(trials: readonly Trial[], way: Way): string {
  const shown = trials.filter((one) => one.way === way);
  const longestMs = Math.max(...trials.map(lengthOf));
  const most = Math.max(
    1,
    ...trials.flatMap(({ seconds }) => seconds.map(({ fine, failed }) => fine + failed)),
  );
  const height = top + shown.length * panel + 12;
  const scale = { x: (width - left - right) / longestMs, y: chart / most, most, longestMs };
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<title>${headings[way]}</title>
${requestsStyle}
<rect class="card" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>
<text class="text" x="20" y="28" font-size="16" font-weight="600">${headings[way]}</text>
<text class="faint" x="20" y="50">requests per second: <tspan class="fine">■</tspan> answered <tspan class="failed">■</tspan> failed, and <tspan class="event" style="fill-opacity:1">■</tspan> from the change until all is as it should be</text>
${shown.map((trial, index) => renderPanel(trial, top + index * panel, scale)).join("\n")}
</svg>
`;
}

interface Scale {
  /** Pixels for a millisecond, and for a request. */
  readonly x: number;
  readonly y: number;
  readonly most: number;
  readonly longestMs: number;
}

function renderPanel(trial: Trial, at: number, scale: Scale): string {
  const base = at + 20 + chart;
  const begin = beginOf(trial);
  const x = (time: number) => left + (time - begin) * scale.x;
  const bar = (kind: string, time: number, bottom: number, height: number) =>
    height === 0
      ? ""
      : `<rect class="${kind}" x="${x(time - 1_000).toFixed(1)}" y="${(bottom - height).toFixed(1)}" width="${(1_000 * scale.x).toFixed(1)}" height="${height.toFixed(1)}"/>`;
  const bars = trial.seconds.map(({ at: time, fine, failed }) => [
    bar("fine", time, base, fine * scale.y),
    bar("failed", time, base - fine * scale.y, failed && Math.max(failedAtLeast, failed * scale.y)),
  ]);
  const ticks = Array.from({ length: Math.floor(scale.longestMs / 30_000) + 1 }, (_, index) => {
    const tick = (left + index * 30_000 * scale.x).toFixed(1);
    return `<line class="axis" x1="${tick}" y1="${base}" x2="${tick}" y2="${base + 4}"/><text class="faint" x="${tick}" y="${base + 17}" text-anchor="middle">${index * 30} s</text>`;
  });
  const { complete, failed, not2xx } = figuresOf(trial);
  const span = `x="${x(trial.startedAt).toFixed(1)}" width="${((trial.endedAt - trial.startedAt) * scale.x).toFixed(1)}"`;
  return [
    `<text class="text" x="${left}" y="${at + 12}" font-weight="600">${trial.name}</text>`,
    `<text class="${failed + not2xx > 0 ? "failed" : "text"}" x="${width - right}" y="${at + 12}" text-anchor="end">Complete requests: ${show(complete)} · Failed: ${show(failed)} · Non-2xx: ${show(not2xx)}</text>`,
    `<rect class="event" ${span} y="${at + 20}" height="${chart}"/>`,
    `<text class="faint" x="${left - 6}" y="${at + 30}" text-anchor="end">${show(scale.most)}/s</text>`,
    ...bars.flat().filter((one) => one !== ""),
    `<line class="axis" x1="${left}" y1="${base}" x2="${width - right}" y2="${base}"/>`,
    ...ticks,
  ].join("\n");
}
