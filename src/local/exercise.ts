/**
 * The exercise of `rekindle up --exercise`: an alpha is killed and loses its disk; its replacement makes the cluster whole.
 *
 * A client writes before and reads back after: what was acknowledged and copied must be there.
 */
import { Cluster } from "ioredis";
import { describeSlots } from "../cluster/nodes.ts";
import type { Status } from "../status/describe-status.ts";
import { renderStatus } from "../status/render-status.ts";
import { openTerminal } from "../status/terminal.ts";
import type { LocalCluster } from "./local-cluster.ts";

const keyCount = 3_000;

/** @returns 0 where the cluster became whole and every key is there, else 1. */
export async function runExercise(
  cluster: LocalCluster,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  const terminal = openTerminal(process.stdout, environment);
  const before = await cluster.status();
  const victim = before.shards[0]?.alpha;
  const node = cluster.nodes.find((one) => one.name === victim?.name);
  if (victim === undefined || node === undefined) throw new Error("there is no alpha to kill");
  const written = await writeKeys(cluster);
  const steps: (readonly [what: string, ms: number])[] = [];
  let startedAt = performance.now();
  const mark = (what: string) => {
    steps.push([what, performance.now() - startedAt]);
    terminal.write(`${formatMs(performance.now() - startedAt)}  ${what}\n`);
  };

  const slots = describeSlots(before.shards[0]?.slots ?? []);
  terminal.write(
    `\nkilling ${victim.name} (kill -9), the alpha of slots ${slots}, and emptying its folder\n`,
  );
  startedAt = performance.now();
  await cluster.killNode(node.name);
  mark("killed");
  await cluster.startNode(node.name, { emptied: true });
  mark("replacement started, with an empty folder");
  const after = await cluster.waitUntilWhole({ signal, onProgress: progress(victim.id, mark) });
  mark("whole: every slot served, every beta in sync, all nodes agree");

  const missing = await countMissing(cluster, written);
  terminal.write(`\n${renderStatus(after, terminal)}\n\n`);
  terminal.write(
    missing === 0
      ? `all ${written.length} keys are there\n`
      : `${missing} of ${written.length} keys are gone\n`,
  );
  return missing === 0 ? 0 : 1;
}

/** Says each step the first time that it is seen. */
function progress(oldId: string, mark: (what: string) => void): (status: Status) => void {
  const said = new Set<string>();
  const once = (what: string, holds: boolean) => {
    if (!holds || said.has(what)) return;
    said.add(what);
    mark(what);
  };
  return (status) => {
    const nodes = status.shards.flatMap((shard) => [shard.alpha, ...shard.betas]);
    once(
      "its beta was promoted, all slots are served again",
      status.shards.every((shard) => shard.alpha.answers && shard.alpha.id !== oldId),
    );
    once(
      "the replacement joined as a beta",
      said.size > 0 &&
        nodes.filter((node) => node.answers).length === nodes.length &&
        nodes.length === status.nodes &&
        status.idle.length === 0 &&
        status.shards.every((shard) => shard.betas.length > 0),
    );
  };
}

async function writeKeys(cluster: LocalCluster): Promise<readonly string[]> {
  const keys = Array.from({ length: keyCount }, (_, index) => `exercise:${index}`);
  const client = connectClient(cluster);
  try {
    await Promise.all(keys.map((key) => client.set(key, key)));
    // What was copied before the kill must survive it.
    const copies = await Promise.all(client.nodes("master").map((node) => node.wait(1, 5_000)));
    if (copies.some((count) => count < 1)) throw new Error("the keys were not copied within 5 s");
    return keys;
  } finally {
    client.disconnect();
  }
}

async function countMissing(cluster: LocalCluster, keys: readonly string[]): Promise<number> {
  const client = connectClient(cluster);
  try {
    const values = await Promise.all(keys.map((key) => client.get(key)));
    return values.filter((value, index) => value !== keys[index]).length;
  } finally {
    client.disconnect();
  }
}

function connectClient(cluster: LocalCluster): Cluster {
  const client = new Cluster([...cluster.seeds], {
    scaleReads: "master",
    redisOptions: { commandTimeout: 10_000 },
    ...(cluster.natMap ? { natMap: cluster.natMap } : {}),
  });
  // A listener, or an unreachable seed would end this process; the commands tell of errors by themselves.
  client.on("error", () => {});
  return client;
}

const formatMs = (ms: number): string => `${Math.round(ms).toString().padStart(6)} ms`;
