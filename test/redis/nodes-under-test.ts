/**
 * Real nodes for the tests: the built executable, one process and one folder each, on loopback.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseNodes } from "../../src/cluster/nodes.ts";
import { connect, type TlsFiles } from "../../src/redis/connection.ts";
import { parseInfo } from "../../src/redis/info.ts";
import type { Command, Reply } from "../../src/redis/resp.ts";
import { until } from "./until.ts";

export const executable = new URL("../../dist/rekindle", import.meta.url).pathname;
/** Another server to test with, by its path; the machine's own without. */
export const server = process.env.REKINDLE_TEST_SERVER ?? "redis-server";

export interface NodeUnderTest {
  readonly name: string;
  readonly port: number;
  readonly dir: string;
  process: ChildProcess | undefined;
  /** Everything it printed, of all its lives. */
  output: string;
  readonly onOutput: Set<(output: string) => void>;
}

export interface BootOptions {
  readonly nodes?: number;
  readonly replicas?: number;
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly peers?: string;
}

/** Nodes with consecutive ports, nothing started; all of them end with the group. */
export interface NodeGroup extends AsyncDisposable {
  readonly root: string;
  readonly nodes: NodeUnderTest[];
  add(port: number, name?: string): NodeUnderTest;
}

export function createNodes(firstPort: number, count: number): NodeGroup {
  const root = mkdtempSync(join(tmpdir(), "rekindle-test-"));
  const nodes: NodeUnderTest[] = [];
  const add = (port: number, name = `n${nodes.length + 1}`): NodeUnderTest => {
    const dir = join(root, name);
    mkdirSync(dir, { recursive: true });
    const node = {
      name,
      port,
      dir,
      process: undefined,
      output: "",
      onOutput: new Set<(output: string) => void>(),
    };
    nodes.push(node);
    return node;
  };
  for (let i = 0; i < count; i++) add(firstPort + i);
  return {
    root,
    nodes,
    add,
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => kill(node)));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export const peersOf = (nodes: readonly { port: number }[]): string =>
  nodes.map((node) => `127.0.0.1:${node.port}`).join(",");

/** Starts the real entrypoint for this node. */
export function boot(
  node: NodeUnderTest,
  all: readonly NodeUnderTest[],
  options: BootOptions = {},
): void {
  const counts = ["--nodes", `${options.nodes ?? 6}`, "--replicas", `${options.replicas ?? 1}`];
  const args = [
    "cluster",
    "--peers",
    options.peers ?? peersOf(all),
    "--port",
    `${node.port}`,
    "--dir",
    node.dir,
  ];
  const flags = [...args, ...counts, "--server", server, ...(options.flags ?? [])];
  launch(node, flags, options.environment);
}

/** Starts the executable as this node; what it prints is kept. */
export function launch(
  node: NodeUnderTest,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): void {
  const child = spawn(executable, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...environment },
  });
  node.process = child;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      node.output += bytes.toString();
      for (const listener of node.onOutput) listener(node.output);
    });
  }
}

export function bootAll(nodes: readonly NodeUnderTest[], options: BootOptions = {}): void {
  for (const node of nodes) boot(node, nodes, options);
}

/** The exit code, once the process has ended by itself. */
export async function exitOf(node: NodeUnderTest): Promise<number | null> {
  const child = node.process;
  if (child === undefined) throw new Error(`${node.name} was not started`);
  await until(
    `the end of ${node.name}`,
    () => child.exitCode ?? child.signalCode,
    (code) => code !== null,
    20_000,
  );
  return child.exitCode;
}

export async function kill(node: NodeUnderTest, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const child = node.process;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

export function empty(node: NodeUnderTest): void {
  rmSync(node.dir, { recursive: true, force: true });
  mkdirSync(node.dir);
}

export interface AskOptions {
  readonly password?: Buffer;
  readonly user?: string;
  readonly tls?: TlsFiles;
}

export async function ask(
  node: { readonly port: number; readonly ip?: string },
  commands: readonly Command[],
  options: AskOptions = {},
): Promise<readonly Reply[]> {
  const connection = await connect(
    { ip: node.ip ?? "127.0.0.1", port: node.port, busPort: 0 },
    {
      credentials: { user: options.user, password: options.password },
      tls: options.tls,
      deadlineMs: 5_000,
    },
  );
  try {
    return await connection.send(commands);
  } finally {
    connection.close();
  }
}

/** What one node says of the cluster, or why it does not. */
export async function view(node: NodeUnderTest, options: AskOptions = {}) {
  try {
    const [table, cluster, replication] = await ask(
      node,
      [
        ["CLUSTER", "NODES"],
        ["CLUSTER", "INFO"],
        ["INFO", "replication"],
      ],
      options,
    );
    const parsed = parseNodes(String(table));
    const info = parseInfo(String(replication));
    const myself = parsed.nodes.find((entry) => entry.flags.includes("myself"));
    return {
      port: node.port,
      id: myself?.id,
      state: parseInfo(String(cluster)).get("cluster_state"),
      knows: parsed.nodes.map((entry) => entry.id).sort(),
      failed: parsed.nodes.filter((entry) => entry.flags.some((flag) => flag.startsWith("fail")))
        .length,
      role: info.get("role"),
      alphaId: myself?.alphaId,
      slots: myself?.slots ?? [],
      inSync:
        info.get("role") === "master" ||
        (info.get("master_link_status") === "up" && info.get("master_sync_in_progress") === "0"),
    };
  } catch (thrown) {
    return { port: node.port, state: `no answer: ${(thrown as Error).message}` };
  }
}

export type View = Awaited<ReturnType<typeof view>>;

/** All nodes are ok, know each other and nobody else, and every beta is in sync. */
export async function untilWhole(
  nodes: readonly NodeUnderTest[],
  withinMs = 30_000,
  options: AskOptions = {},
): Promise<readonly View[]> {
  return until(
    "a whole cluster",
    () => Promise.all(nodes.map((node) => view(node, options))),
    (views) => {
      const ids = views
        .map((one) => ("id" in one ? one.id : ""))
        .sort()
        .join();
      return views.every(
        (one) =>
          one.state === "ok" &&
          "knows" in one &&
          one.knows.join() === ids &&
          one.inSync &&
          one.failed === 0,
      );
    },
    withinMs,
    (views) => [...views.map(describeView), ...nodes.map(describeLog)].join("\n"),
  );
}

function describeView(one: View): string {
  if (!("id" in one) || one.knows === undefined) return `${one.port} ${one.state}`;
  const knows = one.knows.map((id) => id.slice(0, 4)).join(" ");
  const slots = one.slots.map((range) => range.join("-")).join();
  const alpha = one.alphaId?.slice(0, 4) ?? "";
  return `${one.port} ${one.id?.slice(0, 4)} ${one.state} ${one.role} ${alpha}${slots} inSync=${one.inSync} failed=${one.failed} knows ${knows}`;
}

/** What a node decided and did, then what its server said last. */
export function describeLog(node: NodeUnderTest): string {
  const lines = node.output.trimEnd().split("\n");
  const ours = lines.filter((line) => line.startsWith("{") && !line.includes('"event":"observed"'));
  const told = ours
    .slice(-20)
    .map((line) => `${line.slice(20, 32)} ${/"message":"([^"]*)/.exec(line)?.[1]}`);
  const servers = lines.filter((line) => !line.startsWith("{")).slice(-4);
  return [`--- ${node.name} ${node.port}`, ...told, ...servers]
    .map((line) => line.slice(0, 200))
    .join("\n");
}

/** Alphas with their betas, by node. */
export async function shardsOf(nodes: readonly NodeUnderTest[], options: AskOptions = {}) {
  const views = await Promise.all(
    nodes.map(async (node) => ({ node, ...(await view(node, options)) })),
  );
  return views
    .flatMap((one) => ("role" in one && one.role === "master" ? [one] : []))
    .map((alpha) => ({
      alpha: alpha.node,
      slots: alpha.slots,
      betas: views.flatMap((one) =>
        "alphaId" in one && one.alphaId === alpha.id ? [one.node] : [],
      ),
    }))
    .sort((a, b) => (a.slots[0]?.[0] ?? 0) - (b.slots[0]?.[0] ?? 0));
}

/** Keys on every shard, set through whoever owns them, and copied before this returns. */
export async function writeKeys(
  nodes: readonly NodeUnderTest[],
  count: number,
  options: AskOptions = {},
): Promise<void> {
  for (const { alpha, betas } of await shardsOf(nodes, options)) {
    const sets = Array.from({ length: count }, (_, i) => ["SET", `key:${i}`, `${i}`]);
    // With the writes: a WAIT on another connection waits for nothing.
    const replies = await ask(
      alpha,
      [...sets, ["WAIT", Math.min(1, betas.length), 3_000]],
      options,
    );
    if (replies.length !== count + 1) throw new Error("a write was not answered");
    if (betas.length > 0 && replies.at(-1) === 0) throw new Error("no beta has what was written");
  }
}

/** How many keys all alphas hold together. */
export async function countKeys(
  nodes: readonly NodeUnderTest[],
  options: AskOptions = {},
): Promise<number> {
  const shards = await shardsOf(nodes, options);
  const counts = await Promise.all(
    shards.map(async ({ alpha }) => Number((await ask(alpha, [["DBSIZE"]], options))[0])),
  );
  return counts.reduce((sum, one) => sum + one, 0);
}

export const read = (node: NodeUnderTest, file: string): string =>
  readFileSync(join(node.dir, file), "utf8");
