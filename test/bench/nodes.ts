/** What one node costs: joining, restarting, and the boot itself. */
import { spawn } from "node:child_process";
import { chmodSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, type Row } from "./rows.ts";
import {
  ask,
  type BenchNode,
  executable,
  isInSync,
  isWhole,
  kill,
  newNodes,
  rekindleArgs,
  run,
  server,
  startBare,
  startRekindle,
  timeUntil,
} from "./servers.ts";

/** A founded cluster with about a megabyte of data. */
async function wholeCluster(userFile?: string): Promise<readonly BenchNode[]> {
  const nodes = newNodes(6);
  for (const node of nodes)
    startRekindle(node, nodes, userFile === undefined ? [] : ["--config", userFile]);
  await timeUntil(performance.now(), () => isWhole(nodes, 3));
  const value = "x".repeat(1_000);
  for (const node of nodes) {
    // Each alpha takes what is its own and refuses the rest.
    await ask(node, ...Array.from({ length: 1_000 }, (_, index) => ["SET", `key:${index}`, value]));
  }
  return nodes;
}

const idOf = async (node: BenchNode): Promise<string> =>
  String((await ask(node, ["CLUSTER", "MYID"]))[0]);

/** Takes a beta away for good, so that its alpha is an orphan. */
async function removeBeta(
  present: readonly BenchNode[],
  beta: BenchNode,
): Promise<readonly BenchNode[]> {
  const id = await idOf(beta);
  await kill([beta]);
  const rest = present.filter((node) => node !== beta);
  await Promise.all(rest.map((node) => ask(node, ["CLUSTER", "FORGET", id])));
  return rest;
}

export async function benchJoining(runs: number): Promise<Row> {
  const nodes = await wholeCluster();
  const beta = await findBeta(nodes);
  const rest = await removeBeta(nodes, beta);
  const [first] = rest;
  if (first === undefined) throw new Error("no node left");
  const time = async (join: (node: BenchNode) => Promise<void> | void): Promise<number> => {
    const [node] = newNodes(1);
    if (node === undefined) throw new Error("no node");
    const startedAt = performance.now();
    await join(node);
    const ms = await timeUntil(startedAt, async () =>
      isInSync(String((await ask(node, ["INFO", "replication"]))[0])),
    );
    // Betas of a cluster that still shakes hands would not be forgotten everywhere.
    await timeUntil(startedAt, async () =>
      (await Promise.all(rest.map((one) => ask(one, ["CLUSTER", "NODES"])))).every(
        ([table]) =>
          String(table).includes(`:${node.port}@`) && !String(table).includes("handshake"),
      ),
    );
    await removeBeta([...rest, node], node);
    return ms;
  };
  const withCli = async (node: BenchNode): Promise<void> => {
    startBare(node);
    await timeUntil(performance.now(), async () => (await ask(node, ["PING"]))[0] === "PONG");
    await run("redis-cli", [
      "--cluster",
      "add-node",
      `127.0.0.1:${node.port}`,
      `127.0.0.1:${first.port}`,
      "--cluster-slave",
    ]);
  };
  const sample: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let index = 0; index < runs; index++) {
    sample.ours.push(await time((node) => void startRekindle(node, [...rest, node])));
    sample.theirs.push(await time(withCli));
  }
  await kill(rest);
  const [ours, theirs] = [median(sample.ours), median(sample.theirs)];
  return {
    name: "joining: process start → in-sync beta of the orphan, 1 MB",
    beside: "redis-server + redis-cli --cluster add-node --cluster-slave",
    unit: "ms",
    ...sample,
    target: "≤ 0.15 of its time, under 250 ms",
    reached: ours <= 0.15 * theirs && ours < 250,
  };
}

async function findBeta(nodes: readonly BenchNode[]): Promise<BenchNode> {
  for (const node of nodes)
    if (String((await ask(node, ["INFO", "replication"]))[0]).includes("role:slave")) return node;
  throw new Error("no beta");
}

export async function benchRestarting(runs: number): Promise<Row> {
  const nodes = await wholeCluster();
  const beta = await findBeta(nodes);
  const sample: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  const time = async (start: () => void): Promise<number> => {
    await kill([beta]);
    const startedAt = performance.now();
    start();
    const ms = await timeUntil(startedAt, async () => (await ask(beta, ["PING"]))[0] === "PONG");
    await timeUntil(performance.now(), () => isWhole(nodes, 3));
    return ms;
  };
  for (let index = 0; index < runs; index++) {
    sample.ours.push(await time(() => startRekindle(beta, nodes)));
    sample.theirs.push(await time(() => startBare(beta)));
  }
  await kill(nodes);
  return {
    name: "restart in place: process start → PONG",
    beside: "bare redis-server, same nodes.conf",
    unit: "ms",
    ...sample,
    target: "at most 80 ms more",
    reached: median(sample.ours) - median(sample.theirs) <= 80,
  };
}

/**
 * A stand-in that ends at once: what is counted is the way to the server, not the server. It carries the whole of the real
 * one, which Rekindle reads to know what it can do.
 */
function standIn(dir: string): string {
  const path = join(dir, "redis-server");
  writeFileSync(
    path,
    Buffer.concat([Buffer.from("#!/bin/sh\nexit 0\n"), readFileSync(server.path)]),
  );
  chmodSync(path, 0o755);
  return path;
}

/**
 * User and system time of a command and its children, in milliseconds, by bash's `time`; and the peak memory of its
 * children.
 */
async function measure(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<{ cpuMs: number; peakMb: number }> {
  const child = spawn(
    "bash",
    ["-c", `TIMEFORMAT='cpu %3U %3S'; time "$@"`, "bash", command, ...args],
    { stdio: ["ignore", "ignore", "pipe"], env: environment },
  );
  let output = "";
  child.stderr.on("data", (bytes: Buffer) => (output += bytes));
  let peakMb = 0;
  const watch = setInterval(() => {
    peakMb = Math.max(peakMb, peakOfChild(child.pid));
  }, 1);
  await new Promise((resolve) => child.once("close", resolve));
  clearInterval(watch);
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(output) ?? [];
  if (user === undefined) throw new Error(`no times in: ${output}`);
  return { cpuMs: (Number(user) + Number(system)) * 1_000, peakMb };
}

function peakOfChild(pid: number | undefined): number {
  try {
    const [child = ""] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return megabytes(Number(child), "VmHWM");
  } catch {
    return 0; // It is over.
  }
}

/** A line of /proc/pid/status; zero once it is over. */
function megabytes(pid: number, name: "VmHWM" | "RssAnon"): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

/** Of Rekindle itself. Read without a pause: the peak is in the last milliseconds, and execve resets the mark. */
async function peakOfBoot(args: readonly string[]): Promise<{ peakMb: number; ownMb: number }> {
  const child = spawn(executable, args, { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const pid = child.pid ?? 0;
  let [peakMb, ownMb] = [0, 0];
  for (;;) {
    const now = megabytes(pid, "VmHWM");
    if (now < peakMb / 2) break;
    peakMb = Math.max(peakMb, now);
    ownMb = Math.max(ownMb, megabytes(pid, "RssAnon"));
  }
  await ended;
  return { peakMb, ownMb };
}

export async function benchBoot(runs: number): Promise<readonly Row[]> {
  const nodes = await wholeCluster();
  const rest = await removeBeta(nodes, await findBeta(nodes));
  const pods = createServer((_, response) => response.end(JSON.stringify(podList(rest))));
  await new Promise<void>((resolve) => pods.listen(0, "127.0.0.1", resolve));
  const { port } = pods.address() as { port: number };
  const script = fileURLToPath(new URL("shell-entrypoint.sh", import.meta.url));
  const cpu: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  const memory: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  const own: number[] = [];
  for (let index = 0; index < runs; index++) {
    const [mine, other] = newNodes(2);
    if (!mine || !other) throw new Error("no nodes");
    const args = rekindleArgs(mine, [...rest, mine], ["--server", standIn(mine.dir)]);
    const ours = await measure(executable, args, process.env);
    const { peakMb, ownMb } = await peakOfBoot(args);
    memory.ours.push(peakMb);
    own.push(ownMb);
    const theirs = await measure(
      "bash",
      [script, `http://127.0.0.1:${port}/pods`, `${other.port}`, other.dir, server.path],
      process.env,
    );
    cpu.ours.push(ours.cpuMs);
    cpu.theirs.push(theirs.cpuMs);
    memory.theirs.push(theirs.peakMb);
    const pid = Number(readFileSync(join(other.dir, "pid"), "utf8"));
    await removeBetaByPid(rest, other, pid);
  }
  pods.close();
  await kill(rest);
  const beside = "minimal bash, curl, jq and redis-cli entrypoint that joins";
  return [
    {
      name: "CPU of one boot (user + system, our part)",
      beside,
      unit: "ms CPU",
      ...cpu,
      target: "less",
      reached: median(cpu.ours) < median(cpu.theirs),
    },
    {
      name: "peak memory of one boot (its largest process)",
      beside,
      unit: "MB",
      ...memory,
      target: "at most 90 MB",
      reached: Math.max(...memory.ours) <= 90,
      remark: `${Math.round(median(own))} MB of it its own, the rest the executable's pages as the kernel caches them`,
    },
  ];
}

async function removeBetaByPid(
  rest: readonly BenchNode[],
  node: BenchNode,
  pid: number,
): Promise<void> {
  const id = await idOf(node);
  process.kill(pid, "SIGKILL");
  await Promise.all(rest.map((one) => ask(one, ["CLUSTER", "FORGET", id])));
}

/** What the Kubernetes API would answer for the peers; the ports stand in for addresses of their own. */
const podList = (nodes: readonly BenchNode[]) => ({
  kind: "PodList",
  items: nodes.map(({ port }) => ({
    metadata: { name: `redis-${port}` },
    status: { phase: "Running", podIP: `127.0.0.1:${port}` },
  })),
});

export async function benchLeftovers(): Promise<Row> {
  const nodes = await wholeCluster();
  const [ours] = nodes;
  const pid = ours?.child?.pid;
  const isServer =
    readlinkSync(`/proc/${pid}/exe`) === readlinkSync(`/proc/${nodes[1]?.child?.pid}/exe`) &&
    !/node|rekindle/.test(readlinkSync(`/proc/${pid}/exe`));
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((child) => child !== "").length;
  await kill(nodes);
  return {
    name: "processes of ours left after the boot",
    beside: "",
    unit: "processes",
    ours: [isServer ? children : children + 1],
    theirs: [],
    target: "0 processes, 0 bytes",
    reached: isServer && children === 0,
    remark: isServer ? "the process itself is redis-server" : "the process is not the server",
  };
}
