/** Snapshots of one gigabyte, and what is kept between them, beside what redis-cli and cp do. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  fsyncSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, type Row } from "./rows.ts";
import {
  ask,
  type BenchNode,
  executable,
  kill,
  newNodes,
  run,
  server,
  start,
  timeUntil,
} from "./servers.ts";

const gigabyte = { keys: 1_000_000, valueBytes: 1_000 };
/** Nothing can compress it; the keys tell one from the other. */
const fill = `
  math.randomseed(7)
  local bytes = {}
  for i = 1, tonumber(ARGV[3]) do bytes[i] = string.char(math.random(0, 255)) end
  local value = table.concat(bytes)
  for i = ARGV[1], ARGV[2] do redis.call('SET', 'key:' .. i, value) end
  return 1`;

async function startServer(more: readonly string[] = []): Promise<BenchNode> {
  const [node] = newNodes(1) as readonly [BenchNode];
  start(node, server.path, [
    "--port",
    `${node.port}`,
    "--save",
    "",
    "--rdbcompression",
    "no",
    ...more,
  ]);
  await timeUntil(performance.now(), async () => (await ask(node, ["PING"]))[0] === "PONG");
  return node;
}

async function startFull(): Promise<BenchNode> {
  const node = await startServer();
  const step = 5_000;
  for (let from = 0; from < gigabyte.keys; from += step)
    await ask(node, ["EVAL", fill, "0", `${from}`, `${from + step - 1}`, `${gigabyte.valueBytes}`]);
  return node;
}

interface Cost {
  readonly ms: number;
  readonly peakMb: number;
}

/** Until it ends; what it held in memory of its own is read as long as it runs. */
async function measureProcess(command: string, args: readonly string[]): Promise<Cost> {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (bytes: Buffer) => (complaint += bytes));
  let peakMb = 0;
  const look = setInterval(() => (peakMb = Math.max(peakMb, ownMb(child))), 20);
  const [code] = await once(child, "exit");
  clearInterval(look);
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}: ${complaint}`);
  return { ms: performance.now() - startedAt, peakMb };
}

/** Without the pages of files, which the kernel keeps for everybody. */
function ownMb({ pid }: ChildProcess): number {
  try {
    const [, kb] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kb ?? 0) / 1_024;
  } catch {
    return 0; // It has just ended.
  }
}

function emptyFolder(node: BenchNode, name: string): string {
  const folder = join(node.dir, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return folder;
}

const backUpTo = (node: BenchNode, url: string, more: readonly string[] = []) => [
  "backup",
  ...["--to", url, "--connect", `127.0.0.1:${node.port}`, "--log-level", "error"],
  ...more,
];
const backUp = (node: BenchNode, folder: string, more: readonly string[] = []) =>
  backUpTo(node, `file://${folder}`, more);

async function takeSnapshots(node: BenchNode, runs: number): Promise<readonly Row[]> {
  const [ours, theirs]: [Cost[], Cost[]] = [[], []];
  for (let turn = 0; turn < runs; turn++) {
    ours.push(await measureProcess(executable, backUp(node, emptyFolder(node, "store"))));
    const file = join(node.dir, "plain.rdb");
    rmSync(file, { force: true });
    theirs.push(await measureProcess("redis-cli", ["-p", `${node.port}`, "--rdb", file]));
  }
  const of = (costs: readonly Cost[], what: keyof Cost) => costs.map((cost) => cost[what]);
  return [
    {
      name: "snapshot of 1 GB to a folder, synced and with checksums",
      beside: "redis-cli --rdb to a file",
      unit: "ms",
      ours: of(ours, "ms"),
      theirs: of(theirs, "ms"),
      target: "at most 1.25 of its time",
      reached: median(of(ours, "ms")) <= 1.25 * median(of(theirs, "ms")),
    },
    {
      name: "memory of its own while it takes it",
      beside: "redis-cli --rdb",
      unit: "MB",
      ours: of(ours, "peakMb"),
      theirs: of(theirs, "peakMb"),
      target: "at most 64 MB",
      reached: of(ours, "peakMb").every((mb) => mb <= 64),
    },
  ];
}

/** Of a hundred answers the slowest but one, asked for one after the other until it is over. */
async function p99While(node: BenchNode, isOver: () => boolean): Promise<number> {
  const tookMs: number[] = [];
  for (let turn = 0; !isOver(); turn++) {
    const startedAt = performance.now();
    await ask(node, ["SET", "other", `${turn}`]);
    tookMs.push(performance.now() - startedAt);
  }
  return tookMs.sort((a, b) => a - b)[Math.floor(tookMs.length * 0.99)] ?? Number.NaN;
}

async function latency(node: BenchNode, runs: number): Promise<Row> {
  const [ours, theirs]: [number[], number[]] = [[], []];
  const during = async (command: string, args: readonly string[]) => {
    let isOver = false;
    const ending = run(command, args).finally(() => (isOver = true));
    const p99 = await p99While(node, () => isOver);
    await ending;
    return p99;
  };
  for (let turn = 0; turn < runs; turn++) {
    ours.push(await during(executable, backUp(node, emptyFolder(node, "store"))));
    theirs.push(await during("sleep", ["3"]));
  }
  return {
    name: "a client's p99 while a snapshot of 1 GB is taken",
    beside: "none is taken",
    unit: "ms",
    ours,
    theirs,
    target: "under 10 ms",
    reached: ours.every((ms) => ms < 10),
  };
}

/** Where Docker and the AWS command line are at hand. */
async function uploadToS3(node: BenchNode, runs: number): Promise<readonly Row[]> {
  const hasTools = [
    ["docker", "version"],
    ["aws", "--version"],
  ].every(([command = "", argument = ""]) => spawnSync(command, [argument]).status === 0);
  if (!hasTools) return [];
  const { bucket, secretOf, startS3Server } = await import("../containers/s3-under-test.ts");
  const script = fileURLToPath(new URL("../../scripts/s3-server-image.mjs", import.meta.url));
  const image = execFileSync(process.execPath, [script], { encoding: "utf8" }).trim();
  await using s3 = await startS3Server(image);
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "writer",
    AWS_SECRET_ACCESS_KEY: secretOf("writer"),
    AWS_DEFAULT_REGION: "us-east-1",
    REKINDLE_STORE_ENDPOINT: s3.endpoint,
    REKINDLE_STORE_PATH_STYLE: "true",
  });
  const aws = (...args: readonly string[]) =>
    run("aws", ["--endpoint-url", s3.endpoint, "s3", ...args]);
  const [ours, theirs]: [number[], number[]] = [[], []];
  const url = `s3://${bucket}/bench`;
  for (let turn = 0; turn < runs; turn++) {
    ours.push((await measureProcess(executable, backUpTo(node, url))).ms);
    await aws("rm", "--recursive", "--quiet", url);
    const file = join(node.dir, "plain.rdb");
    const startedAt = performance.now();
    await run("redis-cli", ["-p", `${node.port}`, "--rdb", file]);
    await aws("cp", "--quiet", file, `${url}/plain.rdb`);
    theirs.push(performance.now() - startedAt);
    await aws("rm", "--quiet", `${url}/plain.rdb`);
    rmSync(file);
  }
  return [
    {
      name: "snapshot of 1 GB to an S3 server",
      beside: "redis-cli --rdb, then aws s3 cp",
      unit: "ms",
      ours,
      theirs,
      target: "less",
      reached: median(ours) < median(theirs),
    },
  ];
}

async function restore(node: BenchNode, runs: number): Promise<Row> {
  const [ours, theirs]: [number[], number[]] = [[], []];
  const store = emptyFolder(node, "store");
  await run(executable, backUp(node, store));
  const [rdb = ""] = globSync(`${store}/snapshots/*/*.rdb`);
  for (let turn = 0; turn < runs; turn++) {
    const into = ["--dir", emptyFolder(node, "data"), "--log-level", "error"];
    ours.push(
      (await measureProcess(executable, ["restore", "--from", `file://${store}`, ...into])).ms,
    );
    const copy = join(emptyFolder(node, "data"), "dump.rdb");
    const startedAt = performance.now();
    await run("cp", [rdb, copy]);
    const fd = openSync(copy, "r");
    fsyncSync(fd);
    closeSync(fd);
    theirs.push(performance.now() - startedAt);
  }
  return {
    name: "restore of 1 GB into a folder, every byte checked",
    beside: "cp, synced",
    unit: "ms",
    ours,
    theirs,
    target: "at most 3 times its time",
    reached: median(ours) <= 3 * median(theirs),
  };
}

const clockTicks = 100;

/** User and system, of the process. */
function cpuMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / clockTicks;
}

const bytesIn = (pattern: string): number =>
  globSync(pattern).reduce((sum, file) => sum + statSync(file).size, 0);

async function untilStored(store: string, value: string): Promise<void> {
  await timeUntil(performance.now(), async () =>
    globSync(`${store}/stream/*/*.aof`).some((file) =>
      readFileSync(file, "latin1").includes(value),
    ),
  );
}

async function continuous(runs: number): Promise<readonly Row[]> {
  const writes = 10_000;
  const [bytes, cpu, lost]: [number[], number[], number[]] = [[], [], []];
  const aof: number[] = [];
  for (let turn = 0; turn < runs; turn++) {
    const node = await startServer(["--appendonly", "yes"]);
    const store = emptyFolder(node, "store");
    const child = spawn(executable, backUp(node, store, ["--every", "1d", "--continuous"]), {
      stdio: "ignore",
    });
    await timeUntil(
      performance.now(),
      async () => globSync(`${store}/snapshots/*/manifest.json`).length > 0,
    );
    await ask(node, ["SET", "first", "here"]);
    await untilStored(store, "first");
    const aofBytes = () => bytesIn(`${node.dir}/appendonlydir/*.incr.aof`);
    const before = { cpu: cpuMs(child), aof: aofBytes() };
    for (let index = 0; index < writes; index += 10) {
      const sets = Array.from({ length: 10 }, (_, at) => [
        "SET",
        `key:${index + at}`,
        "x".repeat(100),
      ]);
      await ask(node, ...sets);
    }
    await ask(node, ["SET", "last", "here"]);
    await untilStored(store, "last");
    cpu.push(((cpuMs(child) - before.cpu) * 1_000) / writes);
    bytes.push(((bytesIn(`${store}/stream/*/*.aof`) / 1_024) * 1_000) / writes);
    aof.push((((aofBytes() - before.aof) / 1_024) * 1_000) / writes);
    lost.push(await loseAll(node, child, store));
  }
  return [
    {
      name: "--continuous: stored for 1,000 writes of 100 bytes",
      beside: "Redis' own append-only file",
      unit: "kB",
      ours: bytes,
      theirs: aof,
      target: "at most 1.1 of it",
      reached: bytes.every((kb, turn) => kb <= 1.1 * (aof[turn] ?? 0)),
    },
    {
      name: "--continuous: CPU for 1,000 writes",
      beside: "",
      unit: "ms CPU",
      ours: cpu,
      theirs: [],
      target: "under 20 ms",
      reached: cpu.every((ms) => ms < 20),
    },
    {
      name: "--continuous: everything killed with -9 under load: how far back what is restored goes",
      beside: "",
      unit: "ms",
      ours: lost,
      theirs: [],
      target: "under 2 s",
      reached: lost.every((ms) => ms < 2_000),
    },
  ];
}

/** Milliseconds between the last write that was acknowledged and the last that is restored. */
async function loseAll(node: BenchNode, child: ChildProcess, store: string): Promise<number> {
  const writtenAt: number[] = [];
  const endsAt = performance.now() + 3_000;
  while (performance.now() < endsAt) {
    await ask(node, ["SET", "turn", `${writtenAt.length}`]);
    writtenAt.push(performance.now());
  }
  child.kill("SIGKILL");
  await kill([node]);
  const [back] = newNodes(1) as readonly [BenchNode];
  const config = join(back.dir, "redis.conf");
  writeFileSync(config, "appendonly yes\n");
  await run(executable, [
    "restore",
    "--from",
    `file://${store}`,
    "--dir",
    back.dir,
    ...["--config", config, "--log-level", "error"],
  ]);
  start(back, server.path, [config, "--port", `${back.port}`]);
  await timeUntil(performance.now(), async () => (await ask(back, ["PING"]))[0] === "PONG");
  const [turn] = await ask(back, ["GET", "turn"]);
  await kill([back]);
  return (writtenAt.at(-1) ?? 0) - (writtenAt[Number(turn)] ?? 0);
}

export async function benchBackup(runs: number): Promise<readonly Row[]> {
  const node = await startFull();
  const rows = [
    ...(await takeSnapshots(node, runs)),
    ...(await uploadToS3(node, runs)),
    await latency(node, runs),
    await restore(node, runs),
  ];
  await kill([node]);
  return [...rows, ...(await continuous(runs))];
}
