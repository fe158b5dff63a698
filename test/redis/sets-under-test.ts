/**
 * Real sets for the tests: one alpha with its betas, and the Sentinels over them, one process and one folder each.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseInfo } from "../../src/redis/info.ts";
import { makeCertificates } from "./certificates-under-test.ts";
import { type Finished, openRoom } from "./commands-under-test.ts";
import {
  type AskOptions,
  ask,
  createNodes,
  describeLog,
  launch,
  type NodeGroup,
  type NodeUnderTest,
  peersOf,
  server,
} from "./nodes-under-test.ts";
import { until } from "./until.ts";

/** Sentinel's down-after in these tests, in milliseconds. */
export const downAfterMs = 1_000;

export interface SetUnderTest extends AsyncDisposable {
  readonly group: NodeGroup;
  readonly nodes: readonly NodeUnderTest[];
  readonly sentinels: readonly NodeUnderTest[];
  readonly access: AskOptions;
  /** The same without the user: Sentinels know none. */
  readonly sentinelAccess: AskOptions;
  /** @param peers whom it finds: all nodes of the set. */
  bootNode(node: NodeUnderTest, peers?: readonly NodeUnderTest[]): void;
  bootSentinel(sentinel: NodeUnderTest): void;
  bootAll(): void;
  /** `rekindle status` from a node. */
  status(node: NodeUnderTest, ...more: readonly string[]): Promise<Finished>;
  /** `rekindle drain` on a node. */
  drain(node: NodeUnderTest, ...more: readonly string[]): Promise<Finished>;
  /** The same, and does not wait for its end. */
  startDrain(node: NodeUnderTest): NodeUnderTest;
  /** The same nodes and folders, at other ports. */
  moveTo(firstPort: number): void;
}

export interface SetOptions {
  readonly persists?: boolean;
  readonly password?: string;
  readonly user?: string;
  readonly usesTls?: boolean;
  readonly downAfterMs?: number;
  readonly flags?: readonly string[];
  /** By which all announce themselves, and are told apart by their ports. */
  readonly announcedAs?: string;
}

/** Three nodes from `firstPort` on, three Sentinels ten ports above; nothing started. */
export function createSet(firstPort: number, options: SetOptions = {}): SetUnderTest {
  const group = createNodes(firstPort, 3);
  const nodes = [...group.nodes];
  const sentinels = [0, 1, 2].map((index) => group.add(firstPort + 10 + index, `s${index + 1}`));
  const config = join(group.root, "redis.conf");
  writeFileSync(config, `save ""\nappendonly ${options.persists ? "yes" : "no"}\n`);
  const { user, password } = options;
  const certificates = options.usesTls ? makeCertificates(group.root) : undefined;
  const secret = [
    ...(password ? ["--password-file", writeSecret(group.root, password)] : []),
    ...(user ? ["--user", user] : []),
    ...(certificates?.flags ?? []),
  ];
  const sentinelAccess = {
    ...(password && { password: Buffer.from(password) }),
    ...(certificates && { tls: certificates.files }),
  };
  const announcing = options.announcedAs ? ["--announce-hostname", options.announcedAs] : [];
  const found = (peers: readonly NodeUnderTest[]) => [
    ...["--peers", peersOf(peers), "--sentinels", peersOf(sentinels)],
    ...["--server", server, "--peer-wait", "3s", "--log-format", "json", ...secret],
  ];
  const draining = (node: NodeUnderTest) => [
    ...["drain", "--port", `${node.port}`, "--sentinels", peersOf(sentinels)],
    ...["--log-format", "json", ...secret],
  ];
  const set: SetUnderTest = {
    group,
    nodes,
    sentinels,
    access: { ...sentinelAccess, ...(user && { user }) },
    sentinelAccess,
    bootNode(node, peers = nodes) {
      const own = ["--port", `${node.port}`, "--dir", node.dir, "--config", config];
      const more = [...announcing, ...(options.flags ?? [])];
      launch(node, ["replication", ...found(peers), ...own, ...more]);
    },
    bootSentinel(sentinel) {
      mkdirSync(sentinel.dir, { recursive: true });
      const port = ["--sentinel-port", `${sentinel.port}`, "--address", "127.0.0.1"];
      const silent = options.downAfterMs ?? downAfterMs;
      const timers = ["--down-after", `${silent}ms`, "--failover-timeout", "5s"];
      const own = ["--dir", sentinel.dir, ...port, ...timers, ...announcing];
      launch(sentinel, ["sentinel", ...found(nodes), ...own]);
    },
    bootAll() {
      for (const node of nodes) set.bootNode(node);
      for (const sentinel of sentinels) set.bootSentinel(sentinel);
    },
    status: (node, ...more) =>
      openRoom().run(
        ...["status", "--connect", `127.0.0.1:${node.port}`, "--sentinels", peersOf(sentinels)],
        ...[...secret, ...more],
      ),
    drain: (node, ...more) => openRoom().run(...draining(node), ...more),
    startDrain(node) {
      const drain = group.add(node.port, `drain of ${node.name}`);
      launch(drain, draining(node));
      return drain;
    },
    moveTo(port) {
      for (const [index, one] of [...nodes, ...sentinels].entries())
        Object.assign(one, { port: port + index + (index < 3 ? 0 : 7) });
    },
    [Symbol.asyncDispose]: () => group[Symbol.asyncDispose](),
  };
  return set;
}

function writeSecret(root: string, password: string): string {
  const path = join(root, "password");
  writeFileSync(path, password, { mode: 0o600 });
  return path;
}

/** What one node says of its role. */
async function roleOf(node: NodeUnderTest, access: AskOptions) {
  try {
    const [replication] = await ask(node, [["INFO", "replication"]], access);
    const info = parseInfo(String(replication));
    return {
      port: node.port,
      role: info.get("role") ?? String(replication),
      alpha: Number(info.get("master_port") ?? 0),
      isLinked: info.get("master_link_status") === "up",
    };
  } catch (thrown) {
    return {
      port: node.port,
      role: `no answer: ${(thrown as Error).message}`,
      alpha: 0,
      isLinked: false,
    };
  }
}

/** What one Sentinel says: the alpha's port, whether a quorum of them would elect, and how many of each it knows. */
async function opinionOf(sentinel: NodeUnderTest, access: AskOptions) {
  try {
    const [master, quorum, betas, others] = await ask(
      sentinel,
      [
        ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"],
        ["SENTINEL", "CKQUORUM", "mymaster"],
        ["SENTINEL", "REPLICAS", "mymaster"],
        ["SENTINEL", "SENTINELS", "mymaster"],
      ],
      access,
    );
    const count = (reply: unknown) => (Array.isArray(reply) ? reply.length : -1);
    return {
      alpha: Array.isArray(master) ? Number(master[1]) : 0,
      quorum: String(quorum).slice(0, 2),
      betas: count(betas),
      others: count(others),
    };
  } catch (thrown) {
    return { alpha: 0, quorum: (thrown as Error).message, betas: 0, others: 0 };
  }
}

export interface WholeSet {
  readonly alpha: NodeUnderTest;
  readonly betas: readonly NodeUnderTest[];
}

/** One alpha, whom all betas copy and all Sentinels watch; they know each other, all betas, and nobody else. */
export async function untilSetWhole(
  set: SetUnderTest,
  nodes: readonly NodeUnderTest[] = set.nodes,
  withinMs = 30_000,
): Promise<WholeSet> {
  const look = async () => ({
    roles: await Promise.all(nodes.map((node) => roleOf(node, set.access))),
    opinions: await Promise.all(set.sentinels.map((one) => opinionOf(one, set.sentinelAccess))),
  });
  const { roles } = await until(
    "a whole set",
    look,
    ({ roles: seen, opinions }) => {
      const alphas = seen.filter(({ role }) => role === "master");
      const port = alphas[0]?.port;
      const betas = seen.filter(({ role }) => role === "slave");
      return (
        alphas.length === 1 &&
        betas.length === nodes.length - 1 &&
        betas.every(({ alpha, isLinked }) => alpha === port && isLinked) &&
        opinions.every(
          ({ alpha, quorum, betas: known, others }) =>
            alpha === port && quorum === "OK" && known === betas.length && others === 2,
        )
      );
    },
    withinMs,
    (seen) =>
      [JSON.stringify(seen, null, 1), ...[...nodes, ...set.sentinels].map(describeLog)].join("\n"),
  );
  const port = roles.find(({ role }) => role === "master")?.port;
  const alpha = nodes.find((node) => node.port === port) as NodeUnderTest;
  return { alpha, betas: nodes.filter((node) => node !== alpha) };
}

/** One alpha among these, and the others copy it, whoever else is missing. */
export async function untilAlphaAmong(
  set: SetUnderTest,
  nodes: readonly NodeUnderTest[],
): Promise<NodeUnderTest> {
  const roles = await until(
    "an alpha",
    () => Promise.all(nodes.map((node) => roleOf(node, set.access))),
    (seen) => {
      const port = seen.find(({ role }) => role === "master")?.port;
      return seen.every((one) => one.port === port || (one.alpha === port && one.isLinked));
    },
  );
  const port = roles.find(({ role }) => role === "master")?.port;
  return nodes.find((node) => node.port === port) as NodeUnderTest;
}
