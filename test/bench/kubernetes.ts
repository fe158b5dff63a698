/**
 * npm run bench:kubernetes: how long a founding, a replacement, a rolling update and a lost alpha take on a real Kubernetes,
 * under the manifest's own limits (a tenth of a core, 200 MiB).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { inject, test } from "vitest";
import type { V1Pod } from "../kubernetes/api-under-test.ts";
import { addSidecar, usageOf } from "../kubernetes/sidecar-under-test.ts";
import { createSite, nameOf, pause, type Site } from "../kubernetes/site-under-test.ts";
import { median } from "./rows.ts";
import { renderTimeline, type Timeline } from "./timeline.ts";

interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
}

const runs = Number(process.env.REKINDLE_BENCH_RUNS ?? 5);
const healerMs = 60_000;
const folder = fileURLToPath(new URL("results/", import.meta.url));

interface LogLine {
  readonly time: string;
  readonly event: string;
  readonly message: string;
  readonly report?: string;
  readonly cpuMs?: number;
  readonly peakMb?: number;
}

const linesOf = (log: string): readonly LogLine[] =>
  log
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine);

const startOf = (log: string): number =>
  Date.parse(linesOf(log).find(({ event }) => event === "start")?.time ?? "");

/** The last time that the server said so, to the millisecond. */
function lastSaid(log: string, what: RegExp): number {
  const line = log.split("\n").findLast((one) => what.test(one)) ?? "";
  const [, date = ""] = /^\d+:\w (\d+ \w+ \d+ [\d:.]+)/.exec(line) ?? [];
  return Date.parse(`${date} UTC`);
}

const logsOf = async (site: Site): Promise<readonly string[]> =>
  Promise.all((await site.pods()).map((pod) => site.log(pod)));

async function measureFounding(): Promise<readonly Figure[]> {
  const founded: number[] = [];
  const cpu: number[] = [];
  const memory: number[] = [];
  for (let run = 0; run < runs; run++) {
    await using site = await createSite({ manifest: "deployment" });
    const logs = await logsOf(site);
    const ready = logs.map((log) =>
      lastSaid(log, /Cluster state changed: ok|sync: Finished with success/),
    );
    founded.push(Math.max(...ready) - Math.max(...logs.map(startOf)));
    const boots = logs.flatMap((log) => linesOf(log).filter(({ event }) => event === "become"));
    cpu.push(...boots.map(({ cpuMs = 0 }) => cpuMs));
    memory.push(...boots.map(({ peakMb = 0 }) => peakMb));
  }
  return [
    {
      name: "last container's start → founded, every node ok and every beta in sync",
      unit: "ms",
      values: founded,
    },
    { name: "CPU of a boot that founds", unit: "ms", values: cpu },
    { name: "largest memory of a boot", unit: "MB", values: memory },
  ];
}

/** As its component has it, while all is well. */
async function measureHealer(): Promise<readonly Figure[]> {
  await using site = await createSite({ manifest: "deployment", edit: addSidecar });
  await pause(10_000);
  const pods = await site.pods();
  const before = await Promise.all(pods.map((pod) => usageOf(site, pod)));
  const startedAt = performance.now();
  await pause(healerMs);
  const after = await Promise.all(pods.map((pod) => usageOf(site, pod)));
  const tookMs = performance.now() - startedAt;
  const shares = after.map(({ cpuMs }, index) => (cpuMs - (before[index]?.cpuMs ?? 0)) / tookMs);
  return [
    {
      name: "resident healer, all well: CPU, in thousandths of a core",
      unit: "",
      values: shares.map((share) => share * 1_000),
    },
    {
      name: "resident healer: memory of its own",
      unit: "MB",
      values: after.map(({ ownKb }) => ownKb / 1_000),
    },
  ];
}

async function measureReplacing(site: Site): Promise<readonly Figure[]> {
  const joined: number[] = [];
  const cpu: number[] = [];
  for (let run = 0; run < runs; run++) {
    const before = new Set((await site.pods()).map(nameOf));
    await site.delete(await site.podOf("beta"));
    await pause(1_000);
    await site.waitUntilWhole();
    const pod = (await site.pods()).find((one) => !before.has(nameOf(one))) as V1Pod;
    const log = await site.log(pod);
    joined.push(lastSaid(log, /sync: Finished with success/) - startOf(log));
    cpu.push(linesOf(log).find(({ event }) => event === "become")?.cpuMs ?? Number.NaN);
  }
  return [
    { name: "replaced container's start → in-sync beta", unit: "ms", values: joined },
    { name: "CPU of a boot that joins", unit: "ms", values: cpu },
  ];
}

async function measureRollingUpdate(
  site: Site,
): Promise<{ figures: readonly Figure[]; timeline: Timeline }> {
  const load = await site.startLoad();
  const startedAt = Date.now();
  const old = new Set((await site.pods()).map(nameOf));
  await site.setImage(inject("testImages").nextImage);
  while ((await site.pods()).some((pod) => old.has(nameOf(pod)))) await pause(1_000);
  await site.waitUntilWhole();
  const endedAt = Date.now();
  const reports = await load.reports();
  const { failures, longestMs, lost, writes } = await load.end();
  const events = (await site.events()).length;
  const told = (await site.toldEvents()).filter(({ at }) => at >= startedAt);
  return {
    figures: [
      {
        name: "rolling update of six pods: its time",
        unit: "s",
        values: [(endedAt - startedAt) / 1_000],
      },
      { name: "rolling update: longest request of a client", unit: "ms", values: [longestMs] },
      {
        name: `rolling update: failed requests, of ${writes} writes and as many reads`,
        unit: "",
        values: [failures.length],
      },
      { name: "rolling update: acknowledged writes lost", unit: "", values: [lost] },
    ],
    timeline: {
      title: `A rolling update of six pods under load (${events} events)`,
      startedAt,
      endedAt,
      reports,
      told,
    },
  };
}

async function measureForcedLoss(site: Site): Promise<readonly Figure[]> {
  const [pauses, others, failed]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < Math.min(runs, 3); run++) {
    const load = await site.startLoad();
    await site.delete(await site.podOf("alpha"), { force: true });
    await pause(1_000);
    await site.waitUntilWhole();
    const { pauses: all, failures } = await load.end();
    const [own = 0, other = 0] = all.map(({ ms }) => ms).sort((a, b) => b - a);
    pauses.push(own);
    others.push(other);
    failed.push(failures.length);
  }
  return [
    {
      name: "alpha lost by force: longest pause of its slots (node timeout 5 s)",
      unit: "ms",
      values: pauses,
    },
    { name: "alpha lost by force: longest pause of the other slots", unit: "ms", values: others },
    { name: "alpha lost by force: failed requests", unit: "", values: failed },
  ];
}

const show = (value: number, unit: string): string =>
  `${value >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toFixed(1)}${unit && ` ${unit}`}`;

function renderTable(figures: readonly Figure[], machine: string): string {
  const rows = figures.map(({ name, unit, values }) => {
    const worst = values.length > 1 ? show(Math.max(...values), unit) : "";
    return `| ${name} | **${show(median(values), unit)}** | ${worst} | ${values.length} |`;
  });
  return [
    "# Bench on Kubernetes",
    "",
    `Medians (\`npm run bench:kubernetes\`). ${machine}.`,
    "",
    "| figure | median | worst | of |",
    "|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

test("bench", { timeout: 1_800_000 }, async () => {
  const figures: Figure[] = [...(await measureFounding()), ...(await measureHealer())];
  await using site = await createSite({ manifest: "deployment" });
  figures.push(...(await measureReplacing(site)));
  const { figures: rolling, timeline } = await measureRollingUpdate(site);
  figures.push(...rolling, ...(await measureForcedLoss(site)));
  const [cpu] = cpus();
  const machine = `Six pods limited to 100m CPU and 200Mi each, ${await site.kubernetes()}, all on one machine with ${cpus().length} cores (${cpu?.model.trim()}), ${new Date().toISOString().slice(0, 10)}`;
  mkdirSync(folder, { recursive: true });
  const table = renderTable(figures, machine);
  writeFileSync(`${folder}kubernetes.md`, table);
  writeFileSync(
    `${folder}kubernetes.json`,
    `${JSON.stringify({ machine, figures, timeline }, null, 2)}\n`,
  );
  writeFileSync(`${folder}kubernetes.svg`, renderTimeline(timeline));
  console.log(table);
});
