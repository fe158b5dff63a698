/**
 * Controls: what goes wrong without Rekindle must be found, or the checker proves nothing.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { allowedLoss } from "./allowed-loss.ts";
import { checkHistory, type Verdict } from "./check-history.ts";
import { startClients } from "./clients.ts";
import type { Strike } from "./faults.ts";
import { readFinals } from "./finals.ts";
import { type Monitor, startMonitor } from "./monitor.ts";
import { openWorld } from "./open-world.ts";
import { createRandom } from "./random.ts";
import { askOnce } from "./views.ts";
import { everybody, type Host, type World } from "./world.ts";

const convergenceMs = 90_000;

/** What is done to the alpha in place of what Rekindle would do. @returns what the checker takes it for. */
type Harm = (alpha: Host, world: World, monitor: Monitor) => Promise<Strike["kind"]>;

/**
 * An alpha in memory only is killed, and a plain redis-server starts in its place at once: it is still the alpha, empty, and its
 * beta copies the emptiness (F9).
 */
export const restartPlainly: Harm = async (alpha, world) => {
  world.startPlainly(alpha);
  await alpha.main.end("SIGKILL");
  alpha.main.start();
  return "kill";
};

/** Under Sentinel, a hand-over that holds no writes back: SENTINEL FAILOVER alone (F1). */
export const failOverPlainly: Harm = async (alpha, world, monitor) => {
  const [sentinel] = world.sentinels;
  const ip = world.network.addressOf(sentinel?.name ?? "");
  await askOnce(ip, world.sentinelPort, [["SENTINEL", "FAILOVER", "mymaster"]]);
  const deadline = performance.now() + 30_000;
  const isOver = () => monitor.shards()[0]?.alpha !== alpha.name;
  while (!isOver() && performance.now() < deadline) await pause(100);
  return "drain";
};

export async function runControl(
  topology: World["topology"],
  harm: Harm,
  folder: string,
): Promise<Verdict> {
  await using world = await openWorld({ topology, persists: false, folder });
  const monitor = startMonitor(world);
  // Without the healers: they would mend what is to be seen.
  for (const { main } of everybody(world)) main.start();
  const flaws = await monitor.untilWhole(convergenceMs);
  if (flaws.length > 0) throw new Error(`the set was not founded: ${flaws.join("; ")}`);
  const clients = startClients(world, monitor, createRandom(1));
  await pause(5_000);
  const name = monitor.shards()[0]?.alpha;
  const alpha = world.nodes.find((host) => host.name === name);
  if (alpha === undefined) throw new Error("there is no alpha");
  const startedMs = performance.now();
  const kind = await harm(alpha, world, monitor);
  await monitor.untilWhole(convergenceMs);
  await clients.end();
  const finals = await readFinals(world, monitor, clients.writes);
  await monitor.end();
  const made = { episode: 0, node: alpha.name, role: "alpha", shard: 0, observed: "" } as const;
  const strikes = [{ ...made, kind, startedMs, endedMs: performance.now() }];
  const { nodeTimeoutMs } = world;
  const { writes, reads } = clients;
  return checkHistory(
    { writes, reads, finals },
    allowedLoss({ topology, nodeTimeoutMs, strikes, demotions: [] }),
  );
}

/** A hand-over without a pause loses now and then only. */
const triesMax = 20;

/** @returns whether the checker has found both. */
export async function runControls(say: (line: string) => void): Promise<boolean> {
  const countLost = async (topology: World["topology"], harm: Harm) => {
    const folder = mkdtempSync(join(tmpdir(), "rekindle-chaos-control-"));
    const { violations } = await runControl(topology, harm, folder);
    rmSync(folder, { recursive: true });
    return violations.filter(({ kind }) => kind === "lost").length;
  };
  const wiped = await countLost("cluster", restartPlainly);
  say(`an empty alpha started by a plain redis-server: ${wiped} acknowledged writes lost`);
  let [lost, tries] = [0, 0];
  while (lost === 0 && tries++ < triesMax) lost = await countLost("sentinel", failOverPlainly);
  say(`SENTINEL FAILOVER without a pause: ${lost} acknowledged writes lost, at the ${tries}. try`);
  return wiped > 0 && lost > 0;
}
