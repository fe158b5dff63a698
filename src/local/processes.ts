/**
 * Local nodes as plain processes on loopback: each runs the real entrypoint, and then is its redis-server.
 *
 * They run in sessions of their own, so that a detached cluster outlives the command that started it. A node is known by its
 * pid and start time; whoever has that pid later is never touched.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busPortDistance } from "../address.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { removeIfEmpty } from "../files.ts";
import { identifyProcess, isAlive } from "../process-identity.ts";
import { findExecutable } from "./executable.ts";
import type { Backend, LocalNode } from "./local-servers.ts";
import { type Member, pick } from "./members.ts";
import { loopback } from "./ports.ts";

/** A node or a Sentinel. */
export interface ProcessNode extends Member {
  readonly dir: string;
  /** `pid starttime`; undefined before its first start. */
  identity: string | undefined;
}

export interface ProcessOptions {
  /** All nodes' folders lie in it; they go with the cluster, and the folder itself when nothing else is in it. */
  readonly root: string;
  /** The redis.conf that all nodes include. */
  readonly config: string | undefined;
  /** A member's command line, but for its folder and its redis.conf. */
  readonly command: (member: Member) => readonly string[];
  /** Told whenever a node has a new process. */
  readonly onChange: (nodes: readonly ProcessNode[]) => void;
}

const endDeadlineMs = 10_000;
const askAgainMs = 250;

export function runProcesses(nodes: readonly ProcessNode[], options: ProcessOptions): Backend {
  const find = (name: string): ProcessNode => {
    const node = nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  };
  const config = options.config ?? writeConfiguration(options.root);
  const argumentsOf = (node: ProcessNode) => [
    ...options.command(node),
    ...(node.isSentinel ? [] : ["--config", config]),
    ...["--dir", node.dir, "--log-format", "json"],
  ];
  /** Those that should be running: of the others nobody wonders that they ended. */
  const meant = new Set<string>();
  return {
    list: (kind) => pick(nodes, kind).map(describeNode),
    async start(name, emptied) {
      const node = find(name);
      if (emptied) rmSync(node.dir, { recursive: true, force: true });
      node.identity = await spawnNode(node, argumentsOf(node));
      meant.add(name);
      options.onChange(nodes);
    },
    stop(name, signal) {
      meant.delete(name);
      return stopProcess(find(name), signal);
    },
    failures: async () =>
      nodes
        .filter((node) => meant.has(node.name) && describeNode(node).pid === undefined)
        .map((node) => `${node.name} ended by itself: ${lastWords(node)}`),
    async end() {
      meant.clear();
      await endProcesses(nodes);
      removeFolders(nodes, options.root);
    },
  };
}

/** A local cluster is for this machine alone, without a password as it is, and for throwing away. */
const throwAway = 'bind 127.0.0.1\nsave ""\nappendonly no\n';

function writeConfiguration(root: string): string {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const path = configurationFile(root);
  writeFileSync(path, throwAway, { mode: 0o600 });
  return path;
}

const configurationFile = (root: string): string => join(root, "redis.conf");

/** What was put there, and nothing else: the folder may be somebody's own. */
export function removeFolders(nodes: readonly Pick<ProcessNode, "dir">[], root: string): void {
  for (const node of nodes) rmSync(node.dir, { recursive: true, force: true });
  rmSync(configurationFile(root), { force: true });
  removeIfEmpty(root);
}

/** Why a node ended, in its own words: the error that its entrypoint logged, else its last line. */
function lastWords(node: ProcessNode): string {
  const lines = readFileSync(logFile(node), "utf8").trimEnd().split("\n");
  const error = lines.findLast((line) => line.includes('"level":"error"'));
  if (error === undefined) return lines.at(-1) || "it printed nothing";
  const { message, hint } = JSON.parse(error) as { message: string; hint?: string };
  return hint === undefined ? message : `${message}; ${hint}`;
}

function describeNode(node: ProcessNode): LocalNode {
  const alive = node.identity !== undefined && isAlive(node.identity);
  return {
    name: node.name,
    address: { ip: loopback, port: node.port, busPort: node.port + busPortDistance },
    dir: node.dir,
    pid: alive ? Number(node.identity?.split(" ")[0]) : undefined,
  };
}

/** Where a node's own lines and its server's go. */
export const logFile = (node: { readonly dir: string }): string => join(node.dir, "log");

async function spawnNode(node: ProcessNode, args: readonly string[]): Promise<string> {
  mkdirSync(node.dir, { recursive: true });
  const log = openSync(logFile(node), "a", 0o600);
  try {
    const child = spawn(findExecutable(), args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { PATH: process.env.PATH },
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    // The process may be over already, with its reason in the log; its pid then identifies nobody.
    return identifyProcess(child.pid ?? 0) ?? `${child.pid} ended`;
  } catch (cause) {
    throw new RekindleError(
      "serverNotUsable",
      `${node.name} cannot be started: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    closeSync(log);
  }
}

/**
 * Asked again and again: a SIGTERM that reaches an entrypoint in the moment before it becomes the server is lost, for its
 * handler has no turn any more and execve forgets it. The server takes a second SIGTERM as the first.
 */
async function stopProcess(node: ProcessNode, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const { identity } = node;
  if (identity === undefined) return;
  const startedAt = performance.now();
  for (let asked = -askAgainMs; isAlive(identity); ) {
    const elapsed = performance.now() - startedAt;
    if (elapsed - asked >= askAgainMs) {
      send(identity, elapsed > endDeadlineMs ? "SIGKILL" : signal);
      asked = elapsed;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Gracefully, all at once, and whoever is left after ten seconds at once. */
export async function endProcesses(nodes: readonly ProcessNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => stopProcess(node, "SIGTERM")));
}

function send(identity: string, signal: "SIGKILL" | "SIGTERM"): void {
  try {
    process.kill(Number(identity.split(" ")[0]), signal);
  } catch {
    // It ended in this moment, which is what was wanted.
  }
}
