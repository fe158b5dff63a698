/** Six nodes of a real cluster, each with files of its own that change, and a reload beside it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { TlsFiles } from "../../src/redis/connection.ts";
import {
  type AskOptions,
  ask,
  boot,
  createNodes,
  launch,
  type NodeGroup,
  type NodeUnderTest,
  peersOf,
  server,
  untilWhole,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

export const reloadInTurn = [
  ...["sidecar", "--reload", "--restart", "in-turn"],
  ...["--interval", "1s", "--log-format", "json"],
];

export interface ClusterUnderTest {
  readonly group: NodeGroup;
  readonly nodes: readonly NodeUnderTest[];
  /** The reloads, in the order of their nodes. */
  readonly reloads: readonly NodeUnderTest[];
  start(node: NodeUnderTest): void;
  write(nodes: readonly NodeUnderTest[], ...lines: readonly string[]): void;
  setPassword(nodes: readonly NodeUnderTest[], password: string): void;
  setTls(nodes: readonly NodeUnderTest[], files: Partial<TlsFiles>): void;
}

/** What the nodes start with. */
export interface ClusterOptions {
  readonly password?: string;
  readonly tls?: TlsFiles;
}

const tlsFlags = { cert: "--tls-cert", key: "--tls-key", ca: "--tls-ca" } as const;

/** Six nodes, each with a redis.conf, a password and certificates of its own, and a reload beside it. */
export async function openCluster(
  port: number,
  { password, tls }: ClusterOptions = {},
): Promise<ClusterUnderTest> {
  const group = createNodes(port, 6);
  onTestFinished(() => group[Symbol.asyncDispose]());
  const nodes = [...group.nodes];
  const at = (node: NodeUnderTest, file: string) => join(group.root, "config", node.name, file);
  for (const node of nodes) mkdirSync(at(node, ""), { recursive: true });
  const secret = (node: NodeUnderTest) =>
    password === undefined ? [] : ["--password-file", at(node, "password")];
  const certificates = (node: NodeUnderTest) =>
    tls === undefined
      ? []
      : Object.entries(tlsFlags).flatMap(([file, flag]) => [flag, at(node, `${file}.pem`)]);
  const cluster: ClusterUnderTest = {
    group,
    nodes,
    reloads: nodes.map((node) => group.add(node.port, `reload of ${node.name}`)),
    start(node) {
      const flags = ["--config", at(node, "redis.conf"), ...secret(node), ...certificates(node)];
      boot(node, nodes, { flags });
      // As the kubelet does.
      node.process?.once("exit", (code) => {
        if (code === 0) cluster.start(node);
      });
    },
    write(some, ...lines) {
      for (const node of some) writeFileSync(at(node, "redis.conf"), `${lines.join("\n")}\n`);
    },
    setPassword(some, word) {
      for (const node of some) writeFileSync(at(node, "password"), word);
    },
    setTls(some, files) {
      for (const node of some)
        for (const [file, bytes] of Object.entries(files))
          writeFileSync(at(node, `${file}.pem`), bytes);
    },
  };
  cluster.write(nodes, "appendonly yes");
  if (password !== undefined) cluster.setPassword(nodes, password);
  if (tls !== undefined) cluster.setTls(nodes, tls);
  for (const node of nodes) cluster.start(node);
  await untilWhole(nodes, 30_000, { ...accessOf(password), ...(tls && { tls }) });
  for (const [index, reload] of cluster.reloads.entries()) {
    const node = nodes[index] as NodeUnderTest;
    launch(reload, [
      ...reloadInTurn,
      ...["--dir", node.dir, "--port", `${node.port}`, "--peers", peersOf(nodes)],
      ...["--server", server, "--password-overlap", "0s", ...secret(node), ...certificates(node)],
    ]);
  }
  await until(
    "first looks",
    () => cluster.reloads.filter(({ output }) => output.includes('"start"')).length,
    (count) => count === 6,
  );
  return cluster;
}

export const accessOf = (password?: string): AskOptions =>
  password === undefined ? {} : { password: Buffer.from(password) };

/** Who lets somebody in who has this password. */
export const takes = (nodes: readonly NodeUnderTest[], access: AskOptions) =>
  Promise.all(
    nodes.map((node) =>
      ask(node, [["PING"]], access).then(
        () => true,
        () => false,
      ),
    ),
  );

export const settingOf = async (node: NodeUnderTest, name: string, access: AskOptions = {}) => {
  try {
    const [reply] = await ask(node, [["CONFIG", "GET", name]], access);
    return Array.isArray(reply) ? String(reply[1]) : String(reply);
  } catch {
    return "down";
  }
};

export const settings = (nodes: readonly NodeUnderTest[], name: string, access?: AskOptions) =>
  Promise.all(nodes.map((node) => settingOf(node, name, access)));

export const countReports = (reloads: readonly NodeUnderTest[], report: string) =>
  reloads.flatMap(({ output }) => output.match(new RegExp(`"report":"${report}"`, "g")) ?? [])
    .length;

/** Changes one after the other, so far apart. @param write gets their numbers, from one on. */
export async function changeAgainAndAgain(
  count: number,
  paceMs: number,
  write: (change: number) => void,
): Promise<void> {
  for (let change = 1; change <= count; change++) {
    write(change);
    // The time between them is what is tested.
    await pause(paceMs);
  }
}
