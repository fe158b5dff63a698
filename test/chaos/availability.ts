/**
 * The same life twice: a cluster with Rekindle, and one that Rekindle has founded and whose nodes are plain redis-servers from then on.
 * All are updated, one after the other, and then an alpha is lost with its disk, and another of the same slots. Whoever comes back has
 * another address, as pods have. What a client is told meanwhile becomes a picture.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Life, renderAvailability } from "./availability-picture.ts";
import { type Monitor, startMonitor } from "./monitor.ts";
import { openWorld } from "./open-world.ts";
import { connectToCluster } from "./ordinary-client.ts";
import { askOnce } from "./views.ts";
import { everybody, type Host, type World } from "./world.ts";

const picture = fileURLToPath(new URL("../../docs/availability.svg", import.meta.url));
const calmMs = 4_000;
/** Until another pod is there in a gone one's place. */
const awayMs = 2_000;
const patienceMs = 20_000;

interface Writer {
  /** Since the start, one for each half of a second. */
  readonly counts: { ok: number; failed: number }[];
  end(): Promise<void>;
}

/** Ordinary settings; after two seconds without an answer a write counts as failed. */
function startWriter(world: World, startedMs: number): Writer {
  const client = connectToCluster(world, { connectTimeout: 1_000, commandTimeout: 2_000 });
  client.on("error", () => {});
  const counts: Writer["counts"] = [];
  const count = (which: "ok" | "failed"): void => {
    const at = Math.floor((performance.now() - startedMs) / 500);
    while (counts.length <= at) counts.push({ ok: 0, failed: 0 });
    (counts[at] as Writer["counts"][number])[which]++;
  };
  let isEnding = false;
  const work = Promise.all(
    Array.from({ length: 12 }, async (_, worker) => {
      for (let turn = 0; !isEnding; turn++) {
        await client.set(`${worker}:${turn % 997}`, turn).then(
          () => count("ok"),
          () => count("failed"),
        );
        await pause(40);
      }
    }),
  );
  return {
    counts,
    async end() {
      isEnding = true;
      await work;
      client.disconnect();
    },
  };
}

/** What a probe of readiness asks, on a cluster without Rekindle. */
async function untilReady({ network, port }: World, { name }: Host): Promise<void> {
  const endsAt = performance.now() + patienceMs;
  while (performance.now() < endsAt) {
    const info = await askOnce(network.addressOf(name), port, [["CLUSTER", "INFO"]]).catch(
      () => [],
    );
    if (String(info[0]).includes("cluster_state:ok")) return;
    await pause(100);
  }
}

async function live(way: Life["way"], folder: string): Promise<Life> {
  const isPlain = way === "plain";
  await using world = await openWorld({ topology: "cluster", persists: true, folder });
  const monitor = startMonitor(world);
  for (const { main, healer } of everybody(world)) {
    main.start();
    if (!isPlain) healer?.start();
  }
  const flaws = await monitor.untilWhole(60_000);
  if (flaws.length > 0) throw new Error(`the cluster was not founded: ${flaws.join("; ")}`);
  if (isPlain) for (const host of world.nodes) world.startPlainly(host);
  const startedMs = performance.now();
  const writer = startWriter(world, startedMs);
  const events: { text: string; fromMs: number; toMs: number }[] = [];
  const during = async (text: string, work: () => Promise<unknown>): Promise<void> => {
    await pause(calmMs);
    const fromMs = performance.now() - startedMs;
    await work();
    events.push({ text, fromMs, toMs: performance.now() - startedMs });
  };

  async function comeBack(host: Host, isEmptied: boolean): Promise<void> {
    await world.change(host, { moves: true, isEmptied });
    await pause(awayMs);
    if (isPlain) writePlainConfiguration(world, host);
    host.main.start();
    if (!isPlain) host.healer?.start();
    await (isPlain ? untilReady(world, host) : monitor.untilWhole(patienceMs));
  }
  async function update(host: Host): Promise<void> {
    await host.healer?.end("SIGTERM");
    if (!isPlain) await world.drain(host);
    await host.main.end("SIGTERM");
    await comeBack(host, false);
  }
  async function lose(): Promise<void> {
    const host = alphaOfFirstSlots(world, monitor);
    if (host === undefined) return void (await pause(patienceMs));
    await Promise.all([host.healer?.end("SIGKILL"), host.main.end("SIGKILL")]);
    await comeBack(host, true);
  }

  await during("an update of all six", async () => {
    for (const host of world.nodes) await update(host);
  });
  await during("an alpha is lost", lose);
  await during("the next one is lost", lose);
  await pause(calmMs);
  const endedMs = performance.now() - startedMs;
  await writer.end();
  await monitor.end();
  return { way, endedMs, events, counts: writer.counts };
}

const alphaOfFirstSlots = (world: World, monitor: Monitor): Host | undefined => {
  const name = monitor.shards()[0]?.alpha;
  return world.nodes.find((host) => host.name === name);
};

/** The usual redis.conf of a cluster's node. */
function writePlainConfiguration({ nodeTimeoutMs, port }: World, { dir }: Host): void {
  const lines = [
    `port ${port}`,
    "protected-mode no",
    `dir ${dir}`,
    "appendonly yes",
    "cluster-enabled yes",
    "cluster-require-full-coverage no",
    `cluster-node-timeout ${nodeTimeoutMs}`,
  ];
  writeFileSync(join(dir, "rekindle.conf"), `${lines.join("\n")}\n`);
}

const folder = mkdtempSync(join(tmpdir(), "rekindle-availability-"));
const lives = [
  await live("rekindle", join(folder, "rekindle")),
  await live("plain", join(folder, "plain")),
];
rmSync(folder, { recursive: true, force: true });
for (const { way, counts, events } of lives)
  for (const { text, fromMs, toMs } of events) {
    const own = counts.slice(Math.floor(fromMs / 500), Math.ceil(toMs / 500));
    const sum = (which: "ok" | "failed") => own.reduce((total, one) => total + one[which], 0);
    console.log(
      `${way}: ${text}: ${sum("ok")} writes, ${sum("failed")} failed, ${Math.round((toMs - fromMs) / 1_000)} s`,
    );
  }
writeFileSync(picture, renderAvailability(lives));
