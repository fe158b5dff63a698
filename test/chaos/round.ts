/** One round: a set is started, faults happen to it by a schedule, all is healed, and everything is checked. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { allowedLoss } from "./allowed-loss.ts";
import { checkHistory, type Violation } from "./check-history.ts";
import { startClients } from "./clients.ts";
import { describeFault, type Schedule, type Strike } from "./faults.ts";
import { readFinals } from "./finals.ts";
import { createInjector } from "./inject.ts";
import { type Monitor, startMonitor } from "./monitor.ts";
import { openWorld } from "./open-world.ts";
import { type Felt, startOrdinaryClient } from "./ordinary-client.ts";
import { createRandom } from "./random.ts";
import { type Counts, demotionsOf, judgeEndings, type Second, summarize } from "./summary.ts";
import { askOnce } from "./views.ts";
import { everybody, type World } from "./world.ts";

export interface RoundOptions {
  readonly schedule: Schedule;
  /** For containers; without it members are processes. */
  readonly image?: string | undefined;
  readonly folder: string;
  /** Within which all must be whole again, once the faults have ended. */
  readonly convergenceMs: number;
  /** Begins no further episode after this long. */
  readonly endsAfterMs?: number;
  readonly say: (line: string) => void;
}

export interface EpisodeResult {
  readonly name: string;
  readonly what: readonly string[];
  readonly startedMs: number;
  readonly endedMs: number;
  /** From the last fault's end until all was whole; undefined where that took too long. */
  readonly recoveryMs: number | undefined;
  /** Acknowledged writes a second before it. */
  readonly rateBefore: number;
  readonly felt: Felt;
}

export interface RoundResult {
  readonly seed: number;
  readonly topology: Schedule["topology"];
  readonly backend: string;
  readonly persists: boolean;
  readonly status: "passed" | "failed" | "invalid";
  /** Why it is not passed. */
  readonly reasons: readonly string[];
  readonly violations: readonly Violation[];
  readonly losses: readonly {
    readonly why: string;
    readonly count: number;
    readonly copied: number;
  }[];
  readonly counts: Counts;
  readonly episodes: readonly EpisodeResult[];
  readonly strikes: readonly Strike[];
  readonly skipped: readonly string[];
  readonly endings: Readonly<Record<string, number>>;
  readonly seconds: readonly Second[];
  readonly roles: readonly {
    readonly name: string;
    readonly role: string;
    readonly atMs: number;
  }[];
  readonly startedMs: number;
  readonly endedMs: number;
}

const [warmUpMs, settleMs] = [5_000, 4_000];
/** Acknowledged writes a second, below which a round says nothing. */
const floor = 40;

export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { schedule, folder, say, convergenceMs } = options;
  const { topology, seed, persists } = schedule;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const startedMs = performance.now();
  await using world = await openWorld({ topology, persists, folder, image: options.image });
  const monitor = startMonitor(world);
  const [reasons, invalid]: [string[], string[]] = [[], []];
  const episodes: EpisodeResult[] = [];
  for (const { main, healer } of everybody(world)) {
    main.start();
    healer?.start();
  }
  const founding = await monitor.untilWhole(convergenceMs);
  if (founding.length > 0) reasons.push(`not founded: ${founding.join("; ")}`);
  const clients = startClients(world, monitor, createRandom(seed ^ 0x5eed));
  const ordinary = startOrdinaryClient(world);
  const injector = createInjector(world, monitor);
  await pause(warmUpMs);

  for (const [index, { name, faults }] of schedule.episodes.entries()) {
    if (reasons.length > 0 || performance.now() - startedMs > (options.endsAfterMs ?? Infinity))
      break;
    const settledMs = performance.now();
    await pause(settleMs);
    const recent = clients.writes.filter(
      ({ result, returnMs }) => result === "ok" && returnMs > settledMs,
    );
    const rateBefore = recent.length / ((performance.now() - settledMs) / 1_000);
    if (rateBefore < floor)
      invalid.push(`${Math.round(rateBefore)} writes a second before episode ${index + 1}`);
    ordinary.take();
    const beganMs = performance.now();
    await Promise.all(
      faults.map(async (fault) => {
        await pause(fault.afterMs);
        await injector.inject(fault, index);
      }),
    );
    const healedMs = performance.now();
    const flaws = await monitor.untilWhole(convergenceMs);
    const endedMs = performance.now();
    const recoveryMs = flaws.length === 0 ? endedMs - healedMs : undefined;
    episodes.push({
      name,
      what: faults.map(describeFault),
      startedMs: beganMs,
      endedMs,
      recoveryMs,
      rateBefore,
      felt: ordinary.take(),
    });
    const took =
      recoveryMs === undefined
        ? `NOT WHOLE: ${flaws.join("; ")}`
        : `whole after ${(recoveryMs / 1_000).toFixed(1)} s`;
    say(`  ${index + 1}. ${faults.map(describeFault).join(" + ")}: ${took}`);
    if (flaws.length > 0)
      reasons.push(`not whole ${convergenceMs / 1_000} s after ${name}: ${flaws.join("; ")}`);
  }

  if (reasons.length === 0) {
    const unwritten = await clients.writeLast(20_000);
    if (unwritten.length > 0)
      reasons.push(`the last write did not succeed in ${unwritten.join(", ")}`);
  }
  await Promise.all([clients.end(), ordinary.end()]);
  const strikes = injector.strikes;
  const unobserved = strikes.filter(({ observed }) => observed === undefined);
  if (unobserved.length * 4 > strikes.length)
    invalid.push(
      `not observed: ${unobserved.map(({ kind, node }) => `${kind} of ${node}`).join(", ")}`,
    );

  const finals = reasons.length === 0 ? await readFinals(world, monitor, clients.writes) : [];
  const history = { writes: clients.writes, reads: clients.reads, finals };
  const rules = {
    topology,
    nodeTimeoutMs: world.nodeTimeoutMs,
    strikes,
    demotions: demotionsOf(monitor),
  };
  const { violations, losses } =
    finals.length > 0 ? checkHistory(history, allowedLoss(rules)) : { violations: [], losses: [] };
  reasons.push(...violations.slice(0, 10).map(({ kind, key, what }) => `${kind}: ${key}: ${what}`));
  const judged = judgeEndings(world.endings, strikes);
  reasons.push(...judged.defects);
  invalid.push(...judged.unexplained);
  const isFailed = reasons.length > 0;
  if (isFailed) await keepEvidence(options, world, monitor, history, strikes);
  await monitor.end();
  const status = isFailed ? "failed" : invalid.length > 0 ? "invalid" : "passed";
  return {
    seed,
    topology,
    backend: options.image ?? "processes",
    persists,
    status,
    reasons: [...reasons, ...invalid],
    violations,
    ...summarize(history, losses, startedMs),
    episodes,
    strikes,
    skipped: [...new Set(injector.skipped)],
    endings: judged.counts,
    roles: monitor.changes,
    startedMs,
    endedMs: performance.now(),
  };
}

/** Everything that one needs to understand it, beside the logs. */
async function keepEvidence(
  { folder, schedule }: RoundOptions,
  world: World,
  monitor: Monitor,
  history: { readonly writes: readonly object[]; readonly reads: readonly object[] },
  strikes: readonly Strike[],
): Promise<void> {
  const lines = (items: readonly object[]) =>
    `${items.map((item) => JSON.stringify(item)).join("\n")}\n`;
  writeFileSync(join(folder, "schedule.json"), JSON.stringify(schedule, null, 1));
  writeFileSync(join(folder, "strikes.jsonl"), lines(strikes));
  writeFileSync(join(folder, "writes.jsonl"), lines(history.writes));
  writeFileSync(join(folder, "reads.jsonl"), lines(history.reads));
  writeFileSync(
    join(folder, "views.json"),
    JSON.stringify(
      {
        views: monitor.views(),
        roles: monitor.changes,
        endings: world.endings,
        originMs: performance.timeOrigin,
      },
      null,
      1,
    ),
  );
  for (const host of world.nodes) {
    const what =
      world.topology === "cluster"
        ? [["CLUSTER", "NODES"], ["CLUSTER", "INFO"], ["INFO"]]
        : [["INFO"]];
    const replies = await askOnce(world.network.addressOf(host.name), world.port, what).catch(
      (thrown: Error) => [thrown.message],
    );
    writeFileSync(join(folder, `${host.name}.state.txt`), replies.map(String).join("\n\n"));
  }
}
