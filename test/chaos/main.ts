/** `npm run chaos`: rounds of faults, one seed each, and the report of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runControls } from "./control.ts";
import { type FaultKind, faultKinds, type Topology } from "./faults.ts";
import { closeWorlds } from "./open-world.ts";
import { resultsFolder, writeReport } from "./report.ts";
import { type RoundResult, runRound } from "./round.ts";
import { drawSchedule } from "./schedule.ts";

const defaults = {
  image: "rekindle:redis7.0",
  backend: "processes",
  episodes: "12",
  parallel: "1",
  to: resultsFolder,
} as const;
const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string" },
    topology: { type: "string" },
    backend: { type: "string", default: defaults.backend },
    image: { type: "string", default: defaults.image },
    faults: { type: "string" },
    episodes: { type: "string", default: defaults.episodes },
    persists: { type: "string" },
    parallel: { type: "string", default: defaults.parallel },
    to: { type: "string", default: defaults.to },
    keep: { type: "boolean", default: false },
    controls: { type: "boolean", default: false },
  },
});

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void closeWorlds().finally(() => process.exit(130)));

if (values.controls) process.exit((await runControls(console.log)) ? 0 : 1);

if (!["processes", "containers"].includes(values.backend))
  throw new Error(`--backend ${values.backend}: expected processes or containers`);
const firstSeed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
const topologies = readTopologies(values.topology);
const kinds = values.faults?.split(",").map(readKind);
const startedMs = performance.now();
const results: RoundResult[] = [];
const folder = mkdtempSync(join(tmpdir(), "rekindle-chaos-"));
const lanes = Number(values.parallel);
/** Minutes are a sum: rounds that run at the same time take less of the clock. */
const leftMs = () => ((minutes ?? 0) * 60_000) / lanes - (performance.now() - startedMs);
let turns = 0;

await Promise.all(
  Array.from({ length: lanes }, async () => {
    do await runNext(turns++);
    while (leftMs() > 30_000);
  }),
);
results.sort((one, other) => one.seed - other.seed);
writeReport(results, values.to, command());
console.log(`the report is in ${values.to}`);
process.exit(results.some(({ status }) => status === "failed") ? 1 : 0);

/** What makes the same run again. */
function command(): string {
  const given = Object.entries({ ...values, seed: `${firstSeed}` }).filter(
    ([name, value]) => typeof value === "string" && !isDefault(name, value),
  );
  return ["npm run chaos --", ...given.map(([name, value]) => `--${name} ${value}`)].join(" ");
}
function isDefault(name: string, value: string): boolean {
  return name === "to" || defaults[name as keyof typeof defaults] === value;
}

function readTopologies(given: string | undefined): readonly Topology[] {
  if (given === undefined) return ["cluster"];
  const known = ["cluster", "sentinel"] as const;
  return given.split(",").map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new Error(`--topology ${name}: expected cluster or sentinel`);
    return found;
  });
}

function readKind(name: string): FaultKind {
  const found = faultKinds.find((kind) => kind === name);
  if (found === undefined)
    throw new Error(`--faults ${name}: expected some of ${faultKinds.join(", ")}`);
  return found;
}

async function runNext(turn: number): Promise<void> {
  const seed = firstSeed + turn;
  const topology = topologies[turn % topologies.length] ?? "cluster";
  const say = (line: string) => console.log(lanes > 1 ? `seed ${seed}: ${line.trim()}` : line);
  const schedule = drawSchedule({
    seed,
    topology,
    episodes: Number(values.episodes),
    ...(kinds && { faults: kinds }),
    ...(values.persists !== undefined && { persists: values.persists === "yes" }),
  });
  console.log(`seed ${seed}, ${topology}, ${schedule.persists ? "with" : "without"} a disk`);
  const own = join(folder, `seed-${seed}-${topology}`);
  const result = await runRound({
    schedule,
    image: values.backend === "containers" ? values.image : undefined,
    folder: own,
    convergenceMs: 60_000,
    ...(minutes !== undefined && { endsAfterMs: Math.max(60_000, leftMs()) }),
    say,
  });
  results.push(result);
  const { ok, fail, unknown, lost } = result.counts;
  say(
    `  ${result.status}: ${ok} writes, ${fail} refused, ${unknown} unknown, ${lost} lost where Redis may`,
  );
  for (const reason of result.reasons) say(`  ${reason}`);
  if (result.status === "failed") {
    const again = `npm run chaos -- --seed ${seed} --topology ${topology} --episodes ${values.episodes}`;
    say(`  evidence: ${own}; again: ${again}${values.faults ? ` --faults ${values.faults}` : ""}`);
  } else if (!values.keep) rmSync(own, { recursive: true, force: true });
}
