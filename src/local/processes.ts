/**
 * Local nodes as plain processes on loopback: each runs the real entrypoint, and then is its redis-server.
 *
 * They run in sessions of their own, so that a detached cluster outlives the command that started it. A node is known by its
 * pid and start time; whoever has that pid later is never touched.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { busPortDistance } from "../address.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { identifyProcess, isAlive } from "../process-identity.ts";
import { findExecutable } from "./executable.ts";
import type { Backend, LocalNode } from "./local-cluster.ts";

export interface ProcessNode {
  readonly name: string;
  readonly port: number;
  readonly dir: string;
  /** `pid starttime`; undefined before its first start. */
  identity: string | undefined;
}

export interface ProcessOptions {
  /** All nodes' folders lie in it. It is this cluster's alone, and goes with it. */
  readonly root: string;
  /** Flags of `rekindle cluster` that all nodes share. */
  readonly flags: readonly string[];
  /** Told whenever a node has a new process. */
  readonly onChange: (nodes: readonly ProcessNode[]) => void;
}

const endDeadlineMs = 10_000;

export function runProcesses(nodes: readonly ProcessNode[], options: ProcessOptions): Backend {
  const find = (name: string): ProcessNode => {
    const node = nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  };
  return {
    nodes: () => nodes.map(describeNode),
    async start(name, emptied) {
      const node = find(name);
      if (emptied) rmSync(node.dir, { recursive: true, force: true });
      node.identity = await spawnNode(node, nodes, options.flags);
      options.onChange(nodes);
    },
    stop: (name, signal) => stopProcess(find(name), signal),
    async end() {
      await endProcesses(nodes);
      rmSync(options.root, { recursive: true, force: true });
    },
  };
}

function describeNode(node: ProcessNode): LocalNode {
  const alive = node.identity !== undefined && isAlive(node.identity);
  return {
    name: node.name,
    address: { ip: "127.0.0.1", port: node.port, busPort: node.port + busPortDistance },
    dir: node.dir,
    pid: alive ? Number(node.identity?.split(" ")[0]) : undefined,
  };
}

/** Where a node's own lines and its server's go. */
export const logFile = (node: { readonly dir: string }): string => join(node.dir, "log");

async function spawnNode(
  node: ProcessNode,
  all: readonly ProcessNode[],
  flags: readonly string[],
): Promise<string> {
  mkdirSync(node.dir, { recursive: true });
  const log = openSync(logFile(node), "a", 0o600);
  const peers = all.map((one) => `127.0.0.1:${one.port}`).join(",");
  const args = [
    "cluster",
    "--peers",
    peers,
    "--port",
    `${node.port}`,
    "--dir",
    node.dir,
    "--log-format",
    "json",
    ...flags,
  ];
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
      `the node ${node.name} cannot be started: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    closeSync(log);
  }
}

async function stopProcess(node: ProcessNode, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const { identity } = node;
  if (identity === undefined || !isAlive(identity)) return;
  send(identity, signal);
  const deadline = performance.now() + endDeadlineMs;
  while (isAlive(identity)) {
    if (performance.now() > deadline) send(identity, "SIGKILL");
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
