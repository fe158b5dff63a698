/**
 * npm run scale: apachebench against an application in front of Redis, while the application is scaled and Redis is configured and
 * updated, on a real Kubernetes; and the same where a changed file kills all. Writes the table in README, the pictures in docs, and
 * what ab says, as it says it.
 *
 * ab runs before an event begins, is begun again where a run ends meanwhile, and the run in which the event ends goes on to its end.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { messageOf } from "../../src/errors.ts";
import { readIfThere } from "../../src/files.ts";
import { renderScale } from "../bench/scale-picture.ts";
import { figuresOf, renderReports, renderTable, type Trial } from "../bench/scale-report.ts";
import { version } from "./api-under-test.ts";
import { startAttack } from "./attack-under-test.ts";
import { createScaleSite, type Happening, happenings, type Way, ways } from "./scale-under-test.ts";

const root = new URL("../../", import.meta.url);
const requests = Number(process.env.REKINDLE_SCALE_REQUESTS ?? 100_000);
/** A part of `rekindle: a live setting changes`, to run some alone; the others stay as they were written down. */
const only = process.env.REKINDLE_SCALE_ONLY ?? "";

async function suffer(way: Way, happening: Happening): Promise<Trial> {
  await using site = await createScaleSite(way, happening.replicas);
  const attack = await startAttack(site.redis.namespace, requests);
  const startedAt = Date.now();
  const trouble = await happening.happen(site).then(() => undefined, messageOf);
  const endedAt = Date.now();
  const attacked = await attack.end();
  return { way, name: happening.name, startedAt, endedAt, trouble, ...attacked };
}

test("the scale test", { timeout: 7_200_000 }, async () => {
  const trials: Trial[] = [];
  for (const way of ways) {
    for (const happening of happenings) {
      if (way !== "rekindle" && !happening.isAboutFiles) continue;
      const isWanted = `${way}: ${happening.name}`.includes(only);
      const trial = isWanted ? await suffer(way, happening) : findWritten(way, happening);
      if (trial) trials.push(trial);
      if (isWanted && trial) console.log(renderReports([trial]));
    }
  }
  const { gitVersion } = await version.getCode();
  const [cpu] = cpus();
  const machine = `Measured by \`npm run scale\` on Kubernetes ${gitVersion}, all on one machine with ${cpus().length} cores (${cpu?.model.trim()}), ${new Date().toISOString().slice(0, 10)}.`;
  const table = renderTable(trials, requests, machine);
  console.log(table);
  write(trials, table);
  for (const trial of trials.filter(({ way }) => way === "rekindle")) {
    expect(figuresOf(trial), trial.name).toMatchObject({ failed: 0, not2xx: 0, gaveUp: 0 });
    expect(trial.trouble, trial.name).toBeUndefined();
  }
});

const results = new URL("test/bench/results/", root);

function findWritten(way: Way, { name }: Happening): Trial | undefined {
  const written = readIfThere(fileURLToPath(new URL("scale.json", results))) ?? "[]";
  const trials = JSON.parse(written) as readonly Trial[];
  return trials.find((one) => one.way === way && one.name === name);
}

function write(trials: readonly Trial[], table: string): void {
  writeFileSync(new URL("scale.md", results), renderReports(trials));
  writeFileSync(new URL("scale.json", results), `${JSON.stringify(trials)}\n`);
  for (const way of ways)
    writeFileSync(
      new URL(`docs/scale-${way.replace(" ", "-")}.svg`, root),
      renderScale(trials, way),
    );
  const readme = new URL("README.md", root);
  const text = readFileSync(readme, "utf8");
  writeFileSync(
    readme,
    text.replace(
      /<!-- scale -->[\s\S]*<!-- \/scale -->/,
      () => `<!-- scale -->\n${table}\n<!-- /scale -->`,
    ),
  );
}
