/** The bench's results as Markdown, JSON and a chart. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { median, type Row } from "./rows.ts";
import { server } from "./servers.ts";

const folder = fileURLToPath(new URL("results/", import.meta.url));

interface Run {
  /** What it ran on, and when. */
  readonly machine: string;
  readonly rows: readonly Row[];
}

/** @param isWhole or else what was measured of other names before stays. */
export function writeReport(rows: readonly Row[], isWhole: boolean): string {
  mkdirSync(folder, { recursive: true });
  const names = new Set(rows.map(({ name }) => name));
  const others = (isWhole ? [] : readRuns())
    .map((run) => ({ ...run, rows: run.rows.filter(({ name }) => !names.has(name)) }))
    .filter((run) => run.rows.length > 0);
  const runs = [...others, { machine: describeMachine(), rows }];
  const markdown = renderMarkdown(runs);
  writeFileSync(`${folder}bench.md`, markdown);
  writeFileSync(`${folder}bench.json`, `${JSON.stringify({ runs }, null, 2)}\n`);
  writeFileSync(`${folder}bench.svg`, renderChart(runs.flatMap((run) => run.rows)));
  return markdown;
}

const readRuns = (): readonly Run[] => JSON.parse(readFileSync(`${folder}bench.json`, "utf8")).runs;

function describeMachine(): string {
  const [cpu] = cpus();
  const version = execFileSync(server.path, ["--version"], { encoding: "utf8" })
    .split(" ")
    .slice(0, 3)
    .join(" ");
  return `${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GB memory, Linux ${release().split("-")[0]}, ${version}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

function renderMarkdown(runs: readonly Run[]): string {
  const linesOf = (rows: readonly Row[]) =>
    rows.map((row) => {
      const [ours, theirs] = [median(row.ours), median(row.theirs)];
      const beside = row.theirs.length > 0 ? `${format(theirs)} ${row.unit}` : "";
      const ratio = row.theirs.length > 0 && theirs > 0 ? (ours / theirs).toFixed(2) : "";
      const remark = row.remark === undefined ? "" : `; ${row.remark}`;
      return `| ${row.name} | **${format(ours)} ${row.unit}** | ${row.beside} | ${beside} | ${ratio} | ${row.target} | ${row.reached ? "yes" : "**no**"}${remark} |`;
    });
  return [
    "# Bench",
    "",
    "Medians, both sides in turn in one run (`npm run bench`).",
    "",
    ...runs.flatMap(({ machine, rows }) => [
      `${machine}:`,
      "",
      "| figure | Rekindle | beside | its figure | ratio | to reach | reached |",
      "|---|---|---|---|---|---|---|",
      ...linesOf(rows),
      "",
    ]),
  ].join("\n");
}

const format = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString("en")
    : value.toFixed(value >= 10 || value === 0 ? 0 : 1);

const rowHeight = 58;
const left = 24;
const barWidth = 520;

/** Each row is drawn to its own scale: the longer of its two bars is the full width. */
function renderChart(rows: readonly Row[]): string {
  const drawn = rows.filter((row) => row.theirs.length > 0);
  const height = drawn.length * rowHeight + 70;
  const body = drawn.map((row, index) => renderBars(row, 60 + index * rowHeight)).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${height}" width="760" height="${height}" font-family="system-ui, sans-serif" font-size="13">
<title>Rekindle beside the usual way</title>
<rect width="760" height="${height}" fill="#ffffff"/>
<text x="${left}" y="28" font-size="16" font-weight="600" fill="#1f2328">Rekindle beside the usual way, medians; shorter is better</text>
${body}
</svg>
`;
}

function renderBars(row: Row, y: number): string {
  const [ours, theirs] = [median(row.ours), median(row.theirs)];
  const scale = barWidth / Math.max(ours, theirs);
  const bar = (value: number, at: number, colour: string, label: string) =>
    `<rect x="${left}" y="${at}" width="${Math.max(2, value * scale).toFixed(1)}" height="13" rx="2" fill="${colour}"/>` +
    `<text x="${(left + Math.max(2, value * scale) + 6).toFixed(1)}" y="${at + 11}" font-size="12" fill="#1f2328">${label}</text>`;
  return [
    `<text x="${left}" y="${y}" font-weight="600" fill="#1f2328">${escapeXml(row.name)}</text>`,
    bar(ours, y + 7, "#c2410c", `${format(ours)} ${row.unit}`),
    bar(
      theirs,
      y + 23,
      "#94a3b8",
      `${format(theirs)} ${row.unit} · ${escapeXml(shorten(row.beside))}`,
    ),
  ].join("\n");
}

const shorten = (text: string): string =>
  text
    .replace("redis-server + redis-cli --cluster ", "")
    .replace(" entrypoint that joins", "")
    .replace("minimal ", "");

const escapeXml = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
