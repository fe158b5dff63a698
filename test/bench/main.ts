/**
 * npm run bench: every figure beside the usual way to the same state, in one run.
 *   -- --only founding,joining   some of them
 *   -- --runs 9                  runs of each side, 5 by default
 */
import { parseArgs } from "node:util";
import { benchBackup } from "./backup.ts";
import { benchFounding, benchScale, benchStarting } from "./founding.ts";
import { benchBoot, benchJoining, benchLeftovers, benchRestarting } from "./nodes.ts";
import { writeReport } from "./report.ts";
import type { Row } from "./rows.ts";
import { benchSets } from "./sets.ts";

const benches: Readonly<Record<string, (runs: number) => Promise<Row | readonly Row[]>>> = {
  founding: benchFounding,
  starting: benchStarting,
  joining: benchJoining,
  restarting: benchRestarting,
  boot: benchBoot,
  scale: benchScale,
  leftovers: benchLeftovers,
  sets: benchSets,
  backup: benchBackup,
};

const { values } = parseArgs({
  options: { only: { type: "string" }, runs: { type: "string", default: "5" } },
});
const chosen = values.only?.split(",") ?? Object.keys(benches);
const unknown = chosen.find((name) => !(name in benches));
if (unknown !== undefined) {
  console.error(`there is no figure "${unknown}"; choose from ${Object.keys(benches).join(", ")}`);
  process.exit(64);
}

const rows: Row[] = [];
for (const name of chosen) {
  console.error(`measuring ${name}`);
  rows.push(...[(await benches[name]?.(Number(values.runs))) ?? []].flat());
}
console.log(writeReport(rows, values.only === undefined));
process.exit(0);
