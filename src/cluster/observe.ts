/**
 * Asks all peers at once what they are and what they know; connections stay open for the steps that follow.
 */
import type { Address } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { Connection, ConnectOptions } from "../redis/connection.ts";
import { openConnections, readFailure } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Command, type Reply, ReplyError } from "../redis/resp.ts";
import { question as waitingQuestion } from "../redis/waiting-room.ts";
import {
  describeSlots,
  isAlpha,
  isMyself,
  myselfOf,
  type NodeEntry,
  type NodeTable,
  parseNodes,
  type SlotRange,
} from "./nodes.ts";
import type { Answer, Entrypoint, PeerAnswer, PeerView } from "./types.ts";

export interface Observer {
  look(peers: readonly Peer[]): Promise<readonly PeerView[]>;
  /** The connection over which the node at this address answered last. */
  connectionTo(address: Address): Connection | undefined;
  close(): void;
}

const questions: readonly Command[] = [
  ["CLUSTER", "NODES"],
  ["CLUSTER", "INFO"],
  ["INFO", "replication"],
  ["INFO", "server"],
  ["DBSIZE"],
  ["CONFIG", "GET", "cluster-node-timeout"],
  ["TIME"],
];

/** @param asksEntrypoints whether Rekindle itself may answer, where it decides what a node must be. */
export function createObserver(options: ConnectOptions, asksEntrypoints = false): Observer {
  const connections = openConnections(options);

  const asked = asksEntrypoints ? [...questions, waitingQuestion] : questions;

  async function ask(address: Address): Promise<PeerAnswer> {
    try {
      return readAnswer(await connections.ask(address, asked));
    } catch (thrown) {
      return readFailure(thrown, options.tls !== undefined);
    }
  }

  return {
    look: (peers) =>
      Promise.all(
        peers.map(async (peer): Promise<PeerView> => {
          if (peer.address === undefined) {
            return {
              name: peer.name,
              pod: peer.pod,
              address: undefined,
              seen: { state: "silent", refused: false, why: peer.waitingFor },
            };
          }
          const { name, pod, address } = peer;
          return { name, pod, address, seen: await ask(address) };
        }),
      ),
    connectionTo: connections.to,
    close: connections.close,
  };
}

function readAnswer(replies: readonly Reply[]): PeerAnswer {
  const [nodes, cluster, replication, server, keys, timeout, time, entrypoint] = replies;
  for (const reply of [nodes, cluster, replication, server, keys]) {
    if (!(reply instanceof ReplyError)) continue;
    // A server that loads its data answers nothing else; it is on its way.
    if (reply.kind === "LOADING") return readLoading(entrypoint);
    return { state: "denied", why: reply.message };
  }
  const table = parseNodes(String(nodes));
  const own = myselfOf(table);
  if (own === undefined)
    return { state: "denied", why: "its node table does not say which node it is" };
  const clusterInfo = parseInfo(String(cluster));
  const uptimeSeconds = Number(parseInfo(String(server)).get("uptime_in_seconds") ?? 0);
  const nodeTimeoutMs = Array.isArray(timeout) ? Number(timeout[1]) : undefined;
  const nowMs = Array.isArray(time) ? Number(time[0]) * 1_000 + Number(time[1]) / 1_000 : undefined;
  const currentEpoch = Number(clusterInfo.get("cluster_current_epoch") ?? 0);
  return {
    state: "answered",
    id: own.id,
    table: { ...withoutDeadLinks(table, nowMs, nodeTimeoutMs), currentEpoch },
    clusterOk: clusterInfo.get("cluster_state") === "ok",
    keys: Number(keys),
    ...readReplication(parseInfo(String(replication)), !isAlpha(own), uptimeSeconds),
    uptimeSeconds,
    nodeTimeoutMs,
  };
}

function readLoading(reply: Reply | undefined): PeerAnswer {
  const entrypoint = readEntrypoint(reply);
  if (entrypoint === undefined)
    return { state: "silent", refused: false, why: "it is loading its data" };
  const { restores } = entrypoint;
  const why = restores
    ? `it restores slots ${describeSlots(restores)}`
    : "Rekindle decides what it must be";
  return { state: "silent", refused: false, why, entrypoint };
}

/** It comes from the network. Undefined for anything else than what Rekindle says of itself. */
function readEntrypoint(reply: Reply | undefined): Entrypoint | undefined {
  if (typeof reply !== "string") return undefined;
  try {
    const { isBlank, restores } = JSON.parse(reply) as { isBlank?: unknown; restores?: unknown };
    if (typeof isBlank !== "boolean") return undefined;
    const ranges = Array.isArray(restores) ? restores.map(readRange) : undefined;
    return { isBlank, restores: ranges };
  } catch {
    return undefined;
  }
}

function readRange(range: unknown): SlotRange {
  const [first, last] = Array.isArray(range) ? range.map(Number) : [];
  if (first === undefined || last === undefined || !(first <= last)) throw new Error("no range");
  return [first, last];
}

/**
 * A link that the server is trying to get shows as connected, until a majority calls its node failed. One over which nothing
 * has come for a node timeout is none: nodes are asked for a sign of life at least twice in that time (`clusterCron`).
 */
function withoutDeadLinks(
  table: NodeTable,
  nowMs: number | undefined,
  nodeTimeoutMs: number | undefined,
): NodeTable {
  if (nowMs === undefined || nodeTimeoutMs === undefined) return table;
  const isDead = ({ heardAt }: NodeEntry) => heardAt > 0 && nowMs - heardAt > nodeTimeoutMs;
  return {
    ...table,
    nodes: table.nodes.map((node) =>
      isDead(node) && !isMyself(node) ? { ...node, linkUp: false } : node,
    ),
  };
}

function readReplication(
  info: ReadonlyMap<string, string>,
  // Not INFO's role: a beta that does not know its alpha's address calls itself a master there.
  isBeta: boolean,
  uptimeSeconds: number,
): Pick<Answer, "role" | "offset" | "inSync" | "syncing" | "hasFollowed" | "followsNobody"> {
  const isLinked = info.get("master_link_status") === "up";
  const syncing = info.get("master_sync_in_progress") === "1";
  // A link that never was is down "since" 1970 up to 6.0 and since -1 later; the counters of this life are no older than it.
  const downSeconds = Number(info.get("master_link_down_since_seconds") ?? -1);
  const wasLinked = downSeconds >= 0 && downSeconds <= uptimeSeconds;
  return {
    role: isBeta ? "beta" : "alpha",
    offset: Number(info.get(isBeta ? "slave_repl_offset" : "master_repl_offset") ?? 0),
    inSync: isBeta && isLinked && !syncing,
    syncing,
    hasFollowed: isBeta && !syncing && (isLinked || wasLinked),
    followsNobody: isBeta && info.get("master_port") === "0",
  };
}
