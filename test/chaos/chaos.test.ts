/** A fixed set of seeds, short: what must hold holds. Whoever repeats one by hand: npm run chaos -- --seed N --episodes 3 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { restartPlainly, runControl } from "./control.ts";
import type { Topology } from "./faults.ts";
import { hasLoopbackAddresses } from "./loopback.ts";
import { runRound } from "./round.ts";
import { drawSchedule } from "./schedule.ts";

/** Chosen for what comes up in their first three episodes, with a disk and without. */
const rounds: readonly (readonly [Topology, number])[] = [
  ["cluster", 4],
  ["cluster", 9],
  ["cluster", 11],
  ["sentinel", 4],
];

test.skipIf(!hasLoopbackAddresses()).concurrent.for(rounds)(
  "%s: the faults of seed %i cost nothing that Redis keeps, and all is whole again",
  async ([topology, seed], { skip, expect }) => {
    const folder = mkdtempSync(join(tmpdir(), `rekindle-chaos-${seed}-`));
    const said: string[] = [];
    const { status, reasons } = await runRound({
      schedule: drawSchedule({ seed, topology, episodes: 3 }),
      folder,
      // Judged is whether, not how fast: a busy machine has time.
      convergenceMs: 90_000,
      say: (line) => said.push(line),
    });
    const again = `npm run chaos -- --seed ${seed} --topology ${topology} --episodes 3; evidence in ${folder}`;
    if (status !== "failed") rmSync(folder, { recursive: true });
    if (status === "invalid") skip(`says nothing: ${reasons.join("; ")}`);
    expect(reasons, [again, ...said].join("\n")).toEqual([]);
  },
);

test
  .skipIf(!hasLoopbackAddresses())
  .concurrent(
    "without Rekindle the same checker finds an empty alpha that has wiped its beta",
    async ({ expect }) => {
      const folder = mkdtempSync(join(tmpdir(), "rekindle-chaos-control-"));
      const { violations } = await runControl("cluster", restartPlainly, folder);
      rmSync(folder, { recursive: true });
      expect(violations.filter(({ kind }) => kind === "lost").length).toBeGreaterThan(100);
    },
  );
