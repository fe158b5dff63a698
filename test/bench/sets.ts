/** One alpha and two betas under three Sentinels, beside the same with hand-written scripts. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import type { Row, Sample } from "./rows.ts";
import {
  ask,
  type BenchNode,
  executable,
  isInSync,
  kill,
  newNodes,
  run,
  server,
  start,
  timeUntil,
} from "./servers.ts";

const script = fileURLToPath(new URL("shell-set.sh", import.meta.url));
const downAfterMs = 1_000;
const beside = "plain Sentinel, hand-written scripts";

interface BenchSet {
  readonly nodes: readonly BenchNode[];
  readonly sentinels: readonly BenchNode[];
  startNode(node: BenchNode): void;
  startSentinel(sentinel: BenchNode): void;
  handOver(alpha: BenchNode): Promise<void>;
}

function newRekindleSet(): BenchSet {
  const [nodes, sentinels] = [newNodes(3), newNodes(3)];
  const list = (all: readonly BenchNode[]) => all.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const found = ["--peers", list(nodes), "--sentinels", list(sentinels), "--log-level", "error"];
  const inMemory = join(nodes[0]?.dir ?? "", "..", `memory-${nodes[0]?.port}.conf`);
  writeFileSync(inMemory, 'save ""\n');
  return {
    nodes,
    sentinels,
    startNode(node) {
      const own = ["--port", `${node.port}`, "--dir", node.dir, "--config", inMemory];
      start(node, executable, ["replication", ...found, ...own]);
    },
    startSentinel(sentinel) {
      const own = ["--sentinel-port", `${sentinel.port}`, "--dir", sentinel.dir];
      const timers = ["--down-after", `${downAfterMs}ms`, "--failover-timeout", "5s"];
      const args = ["sentinel", ...found, ...own, ...timers, "--address", "127.0.0.1"];
      start(sentinel, executable, args);
    },
    handOver: (alpha) =>
      run(executable, ["drain", "--port", `${alpha.port}`, "--sentinels", list(sentinels)]),
  };
}

function newScriptedSet(): BenchSet {
  const [nodes, sentinels] = [newNodes(3), newNodes(3)];
  const first = `${nodes[0]?.port}`;
  return {
    nodes,
    sentinels,
    startNode(node) {
      const ordinal = `${nodes.indexOf(node)}`;
      const own = ["node", ordinal, `${node.port}`, first, `${sentinels[0]?.port}`, server.path];
      start(node, script, own);
    },
    startSentinel(sentinel) {
      const own = ["sentinel", `${sentinel.port}`, first, `${downAfterMs}`, server.path];
      start(sentinel, script, own);
    },
    async handOver(alpha) {
      const [sentinel = alpha] = sentinels;
      const failOver = ["SENTINEL", "FAILOVER", "mymaster"];
      // One that comes to nothing is asked for again, as whoever types it would.
      await timeUntil(performance.now(), async () => {
        if (await isAlpha(alpha)) await ask(sentinel, failOver);
        const isOver = async () => !(await isAlpha(alpha));
        return timeUntil(performance.now(), isOver, 20_000).then(() => true);
      });
    },
  };
}

const isAlpha = async (node: BenchNode): Promise<boolean> =>
  String((await ask(node, ["INFO", "replication"]).catch(() => [""]))[0]).includes("role:master");

const inSync = async (node: BenchNode): Promise<boolean> =>
  isInSync(String((await ask(node, ["INFO", "replication"]))[0]));

/** One alpha whom both others copy, and each Sentinel knows everybody and would elect. */
async function untilWhole({ nodes, sentinels }: BenchSet): Promise<BenchNode> {
  let alpha: BenchNode | undefined;
  await timeUntil(performance.now(), async () => {
    const areAlphas = await Promise.all(nodes.map(isAlpha));
    alpha = nodes[areAlphas.indexOf(true)];
    const betas = nodes.filter((_, index) => !areAlphas[index]);
    if (betas.length !== 2 || !(await Promise.all(betas.map(inSync))).every(Boolean)) return false;
    const said = await Promise.all(
      sentinels.map((one) =>
        ask(one, ["SENTINEL", "CKQUORUM", "mymaster"], ["SENTINEL", "MASTER", "mymaster"]),
      ),
    );
    return said.every(([quorum, master]) => {
      const words = Array.isArray(master) ? master.map(String) : [];
      const field = (name: string) => words[words.indexOf(name) + 1];
      const isKnown = field("num-slaves") === "2" && field("num-other-sentinels") === "2";
      return String(quorum).startsWith("OK 3") && isKnown && field("port") === `${alpha?.port}`;
    });
  });
  return alpha as BenchNode;
}

async function startAll(set: BenchSet): Promise<BenchNode> {
  for (const node of set.nodes) set.startNode(node);
  for (const sentinel of set.sentinels) set.startSentinel(sentinel);
  return untilWhole(set);
}

const clientOf = ({ sentinels }: BenchSet): Redis => {
  const client = new Redis({
    sentinels: sentinels.map(({ port }) => ({ host: "127.0.0.1", port })),
    name: "mymaster",
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
    sentinelRetryStrategy: () => 20,
  });
  client.on("error", () => {});
  return client;
};

/** Both sides by turns, each run in a set of its own. */
async function measure(
  runs: number,
  figure: (set: BenchSet, alpha: BenchNode) => Promise<number>,
): Promise<Sample> {
  const measureOne = async (set: BenchSet): Promise<number> => {
    const value = await figure(set, await startAll(set));
    await kill([...set.sentinels, ...set.nodes]);
    return value;
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < runs; turn++) {
    ours.push(await measureOne(newRekindleSet()));
    theirs.push(await measureOne(newScriptedSet()));
  }
  return { ours, theirs };
}

async function timeFailover(set: BenchSet, alpha: BenchNode): Promise<number> {
  const client = clientOf(set);
  await client.set("before", "1");
  const startedAt = performance.now();
  await kill([alpha]);
  await client.set("after", "1");
  client.disconnect();
  return performance.now() - startedAt;
}

async function timeBeta(set: BenchSet, alpha: BenchNode): Promise<number> {
  const beta = set.nodes.find((node) => node !== alpha) as BenchNode;
  await kill([beta]);
  rmSync(beta.dir, { recursive: true });
  mkdirSync(beta.dir);
  const startedAt = performance.now();
  set.startNode(beta);
  return timeUntil(startedAt, () => inSync(beta));
}

const keys = 1_000;

async function countWiped(set: BenchSet, alpha: BenchNode): Promise<number> {
  const sets = Array.from({ length: keys }, (_, index) => ["SET", `key:${index}`, "1"]);
  // On one connection: WAIT waits for its own writes.
  await ask(alpha, ...sets, ["WAIT", "2", "5000"]);
  await kill([alpha]);
  set.startNode(alpha);
  const leader = await untilWhole(set);
  return keys - Number((await ask(leader, ["DBSIZE"]))[0]);
}

async function countLost(set: BenchSet, alpha: BenchNode): Promise<number> {
  const client = clientOf(set);
  let [isEnding, acknowledged] = [false, 0];
  const writing = (async () => {
    for (let turn = 0; !isEnding; turn++) {
      // Each key once: what was lost must not be written again.
      if ((await client.set(`key:${turn}`, "1").catch(() => "")) === "OK") acknowledged++;
    }
  })();
  await timeUntil(performance.now(), async () => acknowledged > 500);
  await set.handOver(alpha);
  isEnding = true;
  await writing;
  client.disconnect();
  return acknowledged - Number((await ask(await untilWhole(set), ["DBSIZE"]))[0]);
}

export async function benchSets(runs: number): Promise<readonly Row[]> {
  const failover = await measure(runs, timeFailover);
  const beta = await measure(runs, timeBeta);
  const wiped = await measure(runs, countWiped);
  const lost = await measure(runs, countLost);
  const isNone = ({ ours }: Sample) => ours.every((value) => value === 0);
  const [slowest] = [...failover.ours].sort((a, b) => b - a);
  return [
    {
      ...failover,
      name: "under Sentinel, down-after 1 s: kill -9 of the alpha → next accepted write",
      beside,
      unit: "ms",
      target: "within down-after and 2 s",
      reached: (slowest ?? Number.NaN) < downAfterMs + 2_000,
    },
    {
      ...beta,
      name: "under Sentinel: process start → in-sync beta",
      beside,
      unit: "ms",
      target: "under 250 ms",
      reached: beta.ours.every((ms) => ms < 250),
    },
    {
      ...wiped,
      name: `an alpha in memory, killed and started again at once: of ${keys} keys lost`,
      beside,
      unit: "keys",
      target: "none",
      reached: isNone(wiped),
    },
    {
      ...lost,
      name: "hand-over under load: acknowledged writes lost",
      beside: "SENTINEL FAILOVER",
      unit: "writes",
      target: "none",
      reached: isNone(lost),
    },
  ];
}
