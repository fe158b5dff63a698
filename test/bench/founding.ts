/** Founding: blank nodes that answer, and processes that start at once. */
import { createActor } from "../../src/cluster/act.ts";
import { createObserver } from "../../src/cluster/observe.ts";
import { plan } from "../../src/cluster/plan.ts";
import { createLog } from "../../src/log.ts";
import { median, type Row, type Sample } from "./rows.ts";
import {
  ask,
  type BenchNode,
  createWithCli,
  isWhole,
  kill,
  newNodes,
  nodeTimeoutMs,
  startBare,
  startRekindle,
  timeUntil,
} from "./servers.ts";

/** The coordinator's own loop, from outside: what it does for five others it can do for six. */
async function foundFromOutside(nodes: readonly BenchNode[]): Promise<void> {
  const clock = () => performance.now();
  const observer = createObserver({
    credentials: { user: undefined, password: undefined },
    tls: undefined,
    deadlineMs: 5_000,
  });
  const actor = createActor(observer, createLog("error", "json", 2), clock);
  const startedAt = clock();
  const policy = {
    nodes: nodes.length,
    replicas: 1,
    nodeTimeoutMs,
    peerWaitMs: 60_000,
    onLostSlots: "wait" as const,
  };
  const peers = nodes.map(({ port }) => ({
    name: `127.0.0.1:${port}`,
    address: { ip: "127.0.0.1", port, busPort: port + 10_000 },
  }));
  for (;;) {
    const decision = plan({
      policy,
      self: undefined,
      peers: await observer.look(peers),
      unchangedMs: clock() - startedAt,
    });
    if (decision.kind === "done") return observer.close();
    if (decision.kind === "refuse") throw new Error(decision.reason);
    if (decision.kind === "act") await actor.carryOut(decision.steps);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Blank nodes that have been up for longer than the two seconds in which no master may be ok. */
async function blankNodes(count: number): Promise<readonly BenchNode[]> {
  const nodes = newNodes(count);
  for (const node of nodes) startBare(node);
  await timeUntil(performance.now(), async () => {
    const infos = await Promise.all(nodes.map((node) => ask(node, ["INFO", "server"])));
    return infos.every(([info]) => Number(/uptime_in_seconds:(\d+)/.exec(String(info))?.[1]) >= 4);
  });
  return nodes;
}

async function timeFounding(
  count: number,
  found: (nodes: readonly BenchNode[]) => Promise<void>,
): Promise<number> {
  const nodes = await blankNodes(count);
  try {
    const startedAt = performance.now();
    const [ms] = await Promise.all([
      timeUntil(startedAt, () => isWhole(nodes, count / 2)),
      found(nodes),
    ]);
    return ms;
  } finally {
    await kill(nodes);
  }
}

async function alternate(
  runs: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<Sample> {
  const sample: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let run = 0; run < runs; run++) {
    sample.ours.push(await ours());
    sample.theirs.push(await theirs());
  }
  return sample;
}

export async function benchFounding(runs: number): Promise<Row> {
  const sample = await alternate(
    runs,
    () => timeFounding(6, foundFromOutside),
    () => timeFounding(6, createWithCli),
  );
  const [ours, theirs] = [median(sample.ours), median(sample.theirs)];
  return {
    name: "founding: six blank nodes answering → all ok, all betas in sync",
    beside: "redis-cli --cluster create",
    unit: "ms",
    ...sample,
    target: "≤ 0.25 of its time, under 1.0 s",
    reached: ours <= 0.25 * theirs && ours < 1_000,
  };
}

async function timeStart(withRekindle: boolean): Promise<number> {
  const nodes = newNodes(6);
  try {
    const startedAt = performance.now();
    for (const node of nodes) withRekindle ? startRekindle(node, nodes) : startBare(node);
    if (!withRekindle) {
      await timeUntil(startedAt, async () =>
        (await Promise.all(nodes.map((node) => ask(node, ["PING"])))).every(
          ([reply]) => reply === "PONG",
        ),
      );
      await createWithCli(nodes);
    }
    return await timeUntil(startedAt, () => isWhole(nodes, 3));
  } finally {
    await kill(nodes);
  }
}

export async function benchStarting(runs: number): Promise<Row> {
  const sample = await alternate(
    runs,
    () => timeStart(true),
    () => timeStart(false),
  );
  while (sample.ours.length < 20) (sample.ours as number[]).push(await timeStart(true));
  const worst = Math.max(...sample.ours);
  const inTime = sample.ours.filter((ms) => ms <= 2_400).length;
  return {
    name: "six processes started at once → the same state",
    beside: "redis-cli --cluster create after them",
    unit: "ms",
    ...sample,
    target: "within 2.4 s, 20 of 20 runs (the floor is 2.05 s)",
    reached: inTime === sample.ours.length,
    remark: `${inTime} of ${sample.ours.length} within 2.4 s; the slowest ${Math.round(worst)} ms`,
  };
}

export async function benchScale(runs: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const count of [6, 30, 100]) {
    const sample = await alternate(
      runs,
      () => timeFounding(count, foundFromOutside),
      () => timeFounding(count, createWithCli),
    );
    const ours = median(sample.ours);
    rows.push({
      name: `founding ${count} nodes`,
      beside: "redis-cli --cluster create",
      unit: "ms",
      ...sample,
      target: count === 100 ? "under 5 s, growing slower than it" : "growing slower than it",
      reached:
        count === 100 ? ours < 5_000 && growsSlower(rows[0], sample) : growsSlower(rows[0], sample),
    });
  }
  return rows;
}

function growsSlower(first: Row | undefined, sample: Sample): boolean {
  if (first === undefined) return true;
  return median(sample.ours) - median(first.ours) < median(sample.theirs) - median(first.theirs);
}
