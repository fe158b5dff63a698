/**
 * A Redis Cluster of servers that know nothing of Rekindle: founded, looked at and mended from here.
 */
import { randomBytes } from "node:crypto";
import { createActor } from "../cluster/act.ts";
import { isAlpha, myselfOf, type NodeTable } from "../cluster/nodes.ts";
import { createObserver, type Observer } from "../cluster/observe.ts";
import { foundingRanges } from "../cluster/seats.ts";
import type { Member, PeerView } from "../cluster/types.ts";
import { slotOf } from "../rdb/slots.ts";
import type { Credentials } from "../redis/connection.ts";
import { parseInfo } from "../redis/info.ts";
import { renderFoundingTable, renderReplacingTable, type Seat } from "./cluster-tables.ts";
import { complain } from "./complain.ts";
import { renderAccess, renderLines, renderServer } from "./configuration.ts";
import type { ServerSpec } from "./ground.ts";
import { alphaOfSlot, findFaults, findUnlinked, membersOf, planMending } from "./judge-cluster.ts";
import { readFed } from "./read-fed.ts";
import { isUp, type TestServer } from "./servers.ts";
import { silent } from "./silent.ts";
import type { Topology } from "./topology.ts";

export interface ClusterShape {
  readonly alphas: number;
  readonly betasPerAlpha: number;
  readonly nodeTimeoutMs: number;
  readonly credentials: Credentials;
  /** Directives of the caller's own. */
  readonly config: Readonly<Record<string, string>>;
  /** The name that clients are told, where it is not an address of the nodes. */
  readonly announcedHost: string | undefined;
}

const lookDeadlineMs = 1_000;

/** A server tries to get a link again each second. */
const linkMs = 3_000;

export function createClusterTopology(shape: ClusterShape): Topology {
  const observer = createObserver({
    credentials: shape.credentials,
    tls: undefined,
    deadlineMs: lookDeadlineMs,
  });
  let current: readonly TestServer[] = [];
  const nodeObserver = throughPorts(observer, () => current);
  const actor = createActor(nodeObserver, silent, () => performance.now());

  async function look(all: readonly TestServer[]): Promise<readonly PeerView[]> {
    current = all;
    const running = all.filter(isUp);
    const outer = running.map(({ name, server }) => ({
      name,
      address: { ip: server.outer.host, port: server.outer.port, busPort: 0 },
    }));
    const views = await observer.look(outer);
    return views.map((view, index) => ({ ...view, address: running[index]?.server.inner }));
  }

  const unlinkedSince = new Map<string, number>();
  async function relink(unlinked: readonly Member[], members: readonly Member[]): Promise<void> {
    for (const name of unlinkedSince.keys())
      if (!unlinked.some((beta) => beta.name === name)) unlinkedSince.delete(name);
    for (const beta of unlinked) {
      const since = unlinkedSince.get(beta.name);
      if (since !== undefined && performance.now() - since < linkMs) continue;
      unlinkedSince.set(beta.name, performance.now());
      if (since !== undefined) await followAnew(beta, members, nodeObserver);
    }
  }

  return {
    roster: foundingRoster(shape),
    async tend(all) {
      const views = await look(all);
      for (const { seen } of membersOf(views)) {
        const own = all.find(({ id }) => id === seen.id);
        if (own && (seen.role === "alpha" || seen.inSync)) own.isFresh = false;
      }
      await actor.carryOut(planMending(views, all));
      await relink(findUnlinked(membersOf(views)), membersOf(views));
      const faults = findFaults(views, all);
      return faults.length > 0 ? faults : findHungry(membersOf(views), nodeObserver);
    },
    async replace(gone, all) {
      const others = membersOf(await look(all.filter((one) => one !== gone)));
      const table = newestTable(others.map(({ seen }) => seen.table));
      if (table === undefined)
        throw complain("no other node answers, to be joined", "start one of them first");
      const entry = table.nodes.find(({ id }) => id === gone.id);
      const alphaId = entry === undefined || isAlpha(entry) ? gone.id : (entry.alphaId ?? gone.id);
      const id = drawId();
      return {
        id,
        spec: { ...specOf(shape, gone.name), table: renderReplacingTable(id, alphaId, table) },
      };
    },
    async findShard(key, all) {
      const members = membersOf(await look(all));
      const alpha = alphaOfSlot(members, slotOf(Buffer.from(key)));
      if (alpha === undefined) return undefined;
      const betas = members.filter(({ seen }) => myselfOf(seen.table)?.alphaId === alpha.seen.id);
      return { alpha: alpha.name, betas: betas.map(({ name }) => name) };
    },
    close: observer.close,
  };
}

/**
 * To follow whom it follows already a newer server takes for nothing to do; so it follows another for no time at
 * all.
 */
async function followAnew(
  { address, seen: { table } }: Member,
  members: readonly Member[],
  observer: Observer,
): Promise<void> {
  const own = myselfOf(table)?.alphaId ?? "";
  const other = members.find(({ seen }) => seen.role === "alpha" && seen.id !== own)?.seen.id;
  const commands = [other ?? own, own].map((id) => ["CLUSTER", "REPLICATE", id]);
  // Whether it has come to pass, the next look shows.
  await observer
    .connectionTo(address)
    ?.send(commands)
    .catch(() => {});
}

/**
 * Betas that their alphas do not send yet what is written. Asked only where all else is well.
 *
 * A WAIT for more betas than there are asks each of them how far it is, which is also the first thing that a new
 * alpha sends: by itself it would be silent
 * for ten seconds.
 */
async function findHungry(
  members: readonly Member[],
  observer: Observer,
): Promise<readonly string[]> {
  const alphas = members.filter(({ seen }) => seen.role === "alpha");
  const fed = await Promise.all(
    alphas.map(async ({ address }) => {
      const replies = await observer.connectionTo(address)?.send([
        ["INFO", "replication"],
        ["WAIT", 1_000, 1],
      ]);
      return readFed(parseInfo(String(replies?.[0])));
    }),
  ).catch(() => []); // It ended in this moment: the next look tells.
  return members
    .filter(({ seen, address }) => seen.role === "beta" && !fed.flat().includes(address.port))
    .map(({ name }) => `the alpha of ${name} does not send it what is written yet`);
}

const drawId = (): string => randomBytes(20).toString("hex");

const newestTable = (tables: readonly NodeTable[]): NodeTable | undefined =>
  [...tables].sort((a, b) => b.currentEpoch - a.currentEpoch)[0];

/** The alphas first. */
function foundingRoster(shape: ClusterShape): Topology["roster"] {
  const { alphas, betasPerAlpha } = shape;
  const leaders = foundingRanges(alphas).map(
    (range): Seat => ({ id: drawId(), slots: [range], alphaId: undefined }),
  );
  const followers = Array.from(
    { length: alphas * betasPerAlpha },
    (_, index): Seat => ({ id: drawId(), slots: [], alphaId: leaders[index % alphas]?.id }),
  );
  const seats = [...leaders, ...followers];
  return seats.map((seat, index) => ({
    id: seat.id,
    spec: {
      ...specOf(shape, `node-${index + 1}`),
      table: renderFoundingTable(seat, seats, drawId()),
    },
  }));
}

function specOf(
  { nodeTimeoutMs, credentials, config, announcedHost }: ClusterShape,
  name: string,
): ServerSpec {
  const own = {
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": `${nodeTimeoutMs}`,
    ...renderAccess(credentials),
  };
  const names =
    announcedHost === undefined
      ? {}
      : {
          "cluster-announce-hostname": announcedHost,
          "cluster-preferred-endpoint-type": "hostname",
        };
  return {
    name,
    isSentinel: false,
    config: renderServer(own, config),
    configSince7: renderLines(names),
  };
}

/** Nodes name each other by where they reach each other; here they are reached elsewhere. */
function throughPorts(observer: Observer, servers: () => readonly TestServer[]): Observer {
  return {
    ...observer,
    connectionTo({ ip, port }) {
      const found = servers().find(
        ({ server: { inner } }) => inner.ip === ip && inner.port === port,
      );
      const { host = ip, port: at = port } = found?.server.outer ?? {};
      return observer.connectionTo({ ip: host, port: at, busPort: 0 });
    },
  };
}
