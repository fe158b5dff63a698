/**
 * Asks all peers and all Sentinels at once.
 */
import { isIP } from "node:net";
import type { Address } from "../address.ts";
import type { Peer } from "../discovery/discovery.ts";
import type { Connection, ConnectOptions } from "../redis/connection.ts";
import { type Connections, openConnections, readFailure } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Command, type Reply, ReplyError } from "../redis/resp.ts";
import { question } from "../redis/waiting-room.ts";
import { readWaiting } from "./read-waiting.ts";
import { forSentinels } from "./sentinels.ts";
import type {
  Acquaintance,
  HostPort,
  PeerAnswer,
  PeerView,
  RunningServer,
  SentinelView,
} from "./types.ts";

export interface Observer {
  look(peers: readonly Peer[]): Promise<readonly PeerView[]>;
  lookAtSentinels(sentinels: readonly Peer[]): Promise<readonly SentinelView[]>;
  connectionTo(address: Address): Connection | undefined;
  close(): void;
}

/** @param set the name under which Sentinel knows the alpha. */
export function createObserver(options: ConnectOptions, set: string): Observer {
  const connections = openConnections(options);
  const toSentinels = openConnections(forSentinels(options));
  const usesTls = options.tls !== undefined;

  async function ask<T>(
    over: Connections,
    peer: Peer,
    questions: readonly Command[],
    read: (replies: readonly Reply[]) => T,
  ) {
    if (peer.address === undefined)
      return { seen: { state: "silent", why: peer.waitingFor } } as const;
    try {
      return read(await over.ask(peer.address, questions));
    } catch (thrown) {
      const { state, why } = readFailure(thrown, usesTls);
      return { seen: { state, why } };
    }
  }

  return {
    look: (peers) =>
      Promise.all(
        peers.map(async (peer): Promise<PeerView> => {
          const { name, address, pod } = peer;
          const answer = await ask(connections, peer, serverQuestions, readServer);
          return { name, address, pod, ...answer };
        }),
      ),
    lookAtSentinels: (sentinels) =>
      Promise.all(
        sentinels.map(async (peer): Promise<SentinelView> => {
          const questions = [
            ["SENTINEL", "MASTER", set],
            ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", set],
            ["SENTINEL", "REPLICAS", set],
            ["SENTINEL", "SENTINELS", set],
            ["SENTINEL", "MYID"],
          ];
          const { name, address } = peer;
          const answer = await ask(toSentinels, peer, questions, (replies) => ({
            seen: readSentinel(replies),
            id: typeof replies[4] === "string" ? replies[4] : undefined,
          }));
          return { name, address, ...answer };
        }),
      ),
    connectionTo: (address) => connections.to(address) ?? toSentinels.to(address),
    close() {
      connections.close();
      toSentinels.close();
    },
  };
}

const serverQuestions: readonly Command[] = [
  question,
  ["INFO", "replication"],
  ["DBSIZE"],
  ["INFO", "server"],
  ["CONFIG", "GET", "replica-announce-ip"],
];

function readServer([waiting, replication, keys, server, announcing]: readonly Reply[]): Pick<
  PeerView,
  "announcedAs"
> & { readonly seen: PeerAnswer } {
  const entrypoint = readWaiting(waiting);
  if (entrypoint) return entrypoint;
  for (const reply of [replication, keys]) {
    if (!(reply instanceof ReplyError)) continue;
    if (reply.kind === "LOADING")
      return { seen: { state: "silent", why: "it is loading its data", isLoading: true } };
    return { seen: { state: "denied", why: reply.message } };
  }
  const info = parseInfo(String(replication));
  const runId = parseInfo(String(server)).get("run_id") ?? "";
  return {
    announcedAs: readName(announcing),
    seen: { ...readReplication(info), runId, keys: Number(keys) },
  };
}

/** `replica-announce-ip`, where it is a name. */
function readName(announcing: Reply | undefined): string | undefined {
  const host = Array.isArray(announcing) ? String(announcing[1] ?? "") : "";
  return host === "" || isIP(host) !== 0 ? undefined : host;
}

function readReplication(info: ReadonlyMap<string, string>): Omit<RunningServer, "keys" | "runId"> {
  const isBeta = info.get("role") === "slave";
  const number = (name: string) => Number(info.get(name) ?? 0);
  return {
    state: "server",
    role: isBeta ? "beta" : "alpha",
    offset: number(isBeta ? "slave_repl_offset" : "master_repl_offset"),
    history: info.get("master_replid") ?? "",
    backlogFrom:
      info.get("repl_backlog_active") === "1" ? number("repl_backlog_first_byte_offset") : 0,
    formerHistory: {
      id: info.get("master_replid2") ?? "",
      endsAt: number("second_repl_offset"),
    },
    betas: parseBetas(info).map(({ at }) => at),
    alphaAt: isBeta
      ? { host: info.get("master_host") ?? "", port: number("master_port") }
      : undefined,
    inSync:
      isBeta &&
      info.get("master_link_status") === "up" &&
      info.get("master_sync_in_progress") !== "1",
  };
}

/**
 * `slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=0` (INFO replication). One at a port where no server can be only
 * reads along: a backup is told by that, and redis-cli by naming none.
 */
export function parseBetas(
  info: ReadonlyMap<string, string>,
): readonly { readonly at: HostPort; readonly isOnline: boolean }[] {
  return [...info].flatMap(([name, value]) => {
    if (!/^slave\d+$/.test(name)) return [];
    const field = (key: string) => new RegExp(`(?:^|,)${key}=([^,]*)`).exec(value)?.[1] ?? "";
    const at = { host: field("ip"), port: Number(field("port")) };
    if (at.port < 1 || at.port > 65_535) return [];
    return [{ at, isOnline: field("state") === "online" }];
  });
}

/**
 * `SENTINEL MASTER name`: names and values by turns. `SENTINEL GET-MASTER-ADDR-BY-NAME name` tells of a promotion first
 * (`sentinelGetCurrentMasterAddress`).
 */
export function readSentinel([reply, current, betas, others]: readonly (
  | Reply
  | undefined
)[]): SentinelView["seen"] {
  if (reply instanceof ReplyError)
    return /No such master/i.test(reply.message)
      ? { state: "knows-nothing" }
      : { state: "denied", why: reply.message };
  const field = fieldsOf(reply);
  const alpha: HostPort = { host: field("ip"), port: Number(field("port")) };
  const [host, port] = Array.isArray(current) ? current.map(String) : [];
  const isSame = host === undefined || (host === alpha.host && Number(port) === alpha.port);
  return {
    state: "knows",
    alpha,
    promoted: isSame ? undefined : { host, port: Number(port) },
    epoch: Number(field("config-epoch")),
    flags: field("flags").split(","),
    sinceInfoMs: Number(field("info-refresh")),
    betas: readAcquaintances(betas),
    others: readAcquaintances(others),
    isContent: Number(field("last-ok-ping-reply")) <= Number(field("down-after-milliseconds")) / 2,
  };
}

/** Names and values by turns. */
function fieldsOf(reply: Reply | undefined): (name: string) => string {
  const words = Array.isArray(reply) ? reply.map(String) : [];
  return (name) => words[words.indexOf(name) + 1] ?? "";
}

const readAcquaintances = (reply: Reply | undefined): readonly Acquaintance[] =>
  (Array.isArray(reply) ? reply : []).map((one) => {
    const field = fieldsOf(one);
    const isDown = /s_down|disconnected/.test(field("flags"));
    return { host: field("ip"), port: Number(field("port")), id: field("runid"), isDown };
  });
