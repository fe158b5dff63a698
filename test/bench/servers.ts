/**
 * Real servers for the bench: bare ones with the configuration that Rekindle would write, and whole nodes of Rekindle.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderConfiguration } from "../../src/redis/configuration.ts";
import { type Connection, connect } from "../../src/redis/connection.ts";
import { findServer } from "../../src/redis/server.ts";

export const executable = fileURLToPath(new URL("../../dist/rekindle", import.meta.url));
export const server = await findServer(undefined, process.env.PATH ?? "");
export const nodeTimeoutMs = 5_000;

const root = mkdtempSync(join(tmpdir(), "rekindle-bench-"));
const running = new Set<ChildProcess>();
let nextPort = 21_000;

/** Ends everything that the bench started, also on Ctrl-C. */
export function cleanUp(): void {
  for (const child of running) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
}
process.once("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

export interface BenchNode {
  readonly port: number;
  readonly dir: string;
  child: ChildProcess | undefined;
}

/** Nodes at ports that no run has used before. */
export function newNodes(count: number): readonly BenchNode[] {
  return Array.from({ length: count }, () => {
    if (nextPort > 28_000) nextPort = 21_000;
    const port = nextPort++;
    const dir = join(root, `${port}-${Math.random().toString(36).slice(2, 8)}`);
    mkdirSync(dir);
    return { port, dir, child: undefined };
  });
}

export function start(node: BenchNode, command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: "ignore", cwd: node.dir });
  running.add(child);
  child.once("exit", () => running.delete(child));
  node.child = child;
  return child;
}

/** The bare server, with the configuration that Rekindle renders for it. */
export function startBare(node: BenchNode, userFile?: string): ChildProcess {
  const file = join(node.dir, "rekindle.conf");
  const text = renderConfiguration({
    userFile,
    directives: [],
    server,
    dir: node.dir,
    ip: "127.0.0.1",
    port: node.port,
    mode: {
      kind: "cluster",
      nodesFile: "nodes.conf",
      busPort: node.port + 10_000,
      nodeTimeoutMs,
    },
    credentials: { user: undefined, password: undefined },
    tls: undefined,
  });
  writeFileSync(file, text, { mode: 0o600 });
  return start(node, server.path, [file]);
}

export const rekindleArgs = (
  node: BenchNode,
  peers: readonly BenchNode[],
  more: readonly string[] = [],
): readonly string[] => [
  "cluster",
  "--peers",
  peers.map((peer) => `127.0.0.1:${peer.port}`).join(","),
  "--port",
  `${node.port}`,
  "--dir",
  node.dir,
  "--nodes",
  "6",
  "--log-level",
  "error",
  ...more,
];

export function startRekindle(
  node: BenchNode,
  peers: readonly BenchNode[],
  more: readonly string[] = [],
): ChildProcess {
  return start(node, executable, rekindleArgs(node, peers, more));
}

export async function kill(nodes: readonly BenchNode[]): Promise<void> {
  await Promise.all(
    nodes.map(async ({ child }) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }),
  );
}

const connections = new Map<number, Connection>();

/** Replies over a connection that is kept, so that looking costs the measured servers little. */
export async function ask(
  node: BenchNode,
  ...commands: readonly (readonly string[])[]
): Promise<readonly unknown[]> {
  let connection = connections.get(node.port);
  if (!connection?.open) {
    const options = {
      credentials: { user: undefined, password: undefined },
      tls: undefined,
      deadlineMs: 10_000,
    };
    connection = await connect({ ip: "127.0.0.1", port: node.port, busPort: 0 }, options);
    connections.set(node.port, connection);
  }
  return connection.send(commands);
}

/** Milliseconds since `startedAt` when the condition first held. */
export async function timeUntil(
  startedAt: number,
  holds: () => Promise<boolean>,
  withinMs = 120_000,
): Promise<number> {
  for (;;) {
    if (await holds().catch(() => false)) return performance.now() - startedAt;
    if (performance.now() - startedAt > withinMs)
      throw new Error(`it did not happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

/** Every node is `cluster_state:ok` and every beta in sync; as many betas as asked for. */
export async function isWhole(nodes: readonly BenchNode[], betas: number): Promise<boolean> {
  const replies = await Promise.all(
    nodes.map((node) => ask(node, ["CLUSTER", "INFO"], ["INFO", "replication"])),
  );
  const inSync = replies.filter(([, replication]) => isInSync(String(replication))).length;
  return inSync === betas && replies.every(([info]) => String(info).includes("cluster_state:ok"));
}

export const isInSync = (replication: string): boolean =>
  replication.includes("role:slave") &&
  replication.includes("master_link_status:up") &&
  replication.includes("master_sync_in_progress:0");

export async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => (output += bytes));
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0)
    throw new Error(
      `${command} ${args.slice(0, 3).join(" ")} … ended with ${code}: ${output.slice(-300)}`,
    );
}

export const createWithCli = (nodes: readonly BenchNode[]): Promise<void> =>
  run("redis-cli", [
    "--cluster",
    "create",
    ...nodes.map((node) => `127.0.0.1:${node.port}`),
    "--cluster-replicas",
    "1",
    "--cluster-yes",
  ]);
