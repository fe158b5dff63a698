/**
 * One alpha and its betas under Sentinel, of servers that know nothing of Rekindle: founded, looked at and mended
 * from here.
 */
import { randomBytes } from "node:crypto";
import type { Address } from "../address.ts";
import { localSetName } from "../local/members.ts";
import type { Credentials } from "../redis/connection.ts";
import { openConnections, readFailure } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Command, type Reply, ReplyError } from "../redis/resp.ts";
import { type Directives, renderAccess, renderLines, renderServer } from "./configuration.ts";
import type { HostPort } from "./ground.ts";
import {
  findAlpha,
  findSetFaults,
  type NodeSight,
  planSet,
  type SentinelSight,
  type SetSight,
  type SetStep,
} from "./judge-set.ts";
import { readFed } from "./read-fed.ts";
import { isUp, type TestServer } from "./servers.ts";
import type { Topology } from "./topology.ts";

export interface SetShape {
  readonly betas: number;
  readonly sentinels: number;
  readonly downAfterMs: number;
  readonly credentials: Credentials;
  readonly config: Directives;
}

/** A Sentinel that is told anew forgets all that it knew, and needs its time to ask. */
const pausesMs: Readonly<Record<SetStep["kind"], number>> = {
  copy: 500,
  watch: 1_500,
  introduce: 100,
};

export function createSetTopology(shape: SetShape): Topology {
  const tls = undefined;
  const nodes = openConnections({ credentials: shape.credentials, tls, deadlineMs: 1_000 });
  const sentinels = openConnections({
    credentials: { user: undefined, password: undefined },
    tls,
    deadlineMs: 1_000,
  });
  const movedFrom = new Map<string, TestServer>();
  const toldAt = new Map<string, number>();
  const keyOf = ({ host, port }: HostPort) => `${host} ${port}`;

  function ask(
    { isSentinel, server: { outer } }: TestServer,
    commands: readonly Command[],
  ): Promise<readonly Reply[]> {
    return (isSentinel ? sentinels : nodes).ask(
      { ip: outer.host, port: outer.port, busPort: 0 },
      commands,
    );
  }

  async function look(all: readonly TestServer[]): Promise<SetSight> {
    for (const one of all)
      if (!one.isSentinel) movedFrom.set(`${keyOf(innerOf(one))} ${one.id}`, one);
    const up = all.filter(isUp);
    const [seen, watching] = await Promise.all([
      Promise.all(up.filter(({ isSentinel }) => !isSentinel).map((one) => lookAtNode(one, ask))),
      Promise.all(up.filter(({ isSentinel }) => isSentinel).map((one) => lookAtSentinel(one, ask))),
    ]);
    return {
      nodes: seen,
      sentinels: watching,
      broken: all.filter((one) => !isUp(one)).map(innerOf),
      sentinelsAt: up.filter(({ isSentinel }) => isSentinel).map(innerOf),
      movedTo(address) {
        const one = all.find((other) => movedFrom.get(`${keyOf(address)} ${other.id}`) === other);
        return one && innerOf(one);
      },
    };
  }

  async function carryOut(steps: readonly SetStep[], all: readonly TestServer[]): Promise<void> {
    await Promise.all(
      steps.map(async (step) => {
        const one = all.find(({ name }) => name === step.at);
        const key = JSON.stringify([step, one?.server.inner]);
        const last = toldAt.get(key) ?? Number.NEGATIVE_INFINITY;
        if (one === undefined || performance.now() - last < pausesMs[step.kind]) return;
        toldAt.set(key, performance.now());
        // Whether it has come to pass, the next look shows.
        await ask(one, commandsOf(step, shape, all)).catch(() => {});
      }),
    );
  }

  return {
    roster: rosterOf(shape),
    async tend(all) {
      const sight = await look(all);
      await carryOut(planSet(sight), all);
      return findSetFaults(sight);
    },
    async replace(gone) {
      return entryOf(gone.name, gone.isSentinel, shape);
    },
    async findShard(_key, all) {
      const sight = await look(all);
      const alpha = findAlpha(sight);
      if (alpha === undefined) return undefined;
      return {
        alpha: alpha.name,
        betas: sight.nodes
          .filter((one) => one !== alpha && one.silent === undefined)
          .map(({ name }) => name),
      };
    },
    close() {
      nodes.close();
      sentinels.close();
    },
  };
}

const innerOf = ({
  server: { inner },
}: {
  readonly server: { readonly inner: Address };
}): HostPort => ({ host: inner.ip, port: inner.port });

type Ask = (one: TestServer, commands: readonly Command[]) => Promise<readonly Reply[]>;

const whyOf = (thrown: unknown): string => readFailure(thrown, false).why;

async function lookAtNode(one: TestServer, ask: Ask): Promise<NodeSight> {
  const place = { name: one.name, at: innerOf(one) };
  try {
    const [reply] = await ask(one, [["INFO", "replication"]]);
    if (reply instanceof ReplyError) throw reply;
    const info = parseInfo(String(reply));
    const isBeta = info.get("role") === "slave";
    const alpha = { host: info.get("master_host") ?? "", port: Number(info.get("master_port")) };
    return {
      ...place,
      silent: undefined,
      alpha: isBeta ? alpha : undefined,
      linkUp: info.get("master_link_status") === "up",
      fed: readFed(info),
    };
  } catch (thrown) {
    return { ...place, silent: whyOf(thrown), alpha: undefined, linkUp: false, fed: [] };
  }
}

async function lookAtSentinel(one: TestServer, ask: Ask): Promise<SentinelSight> {
  try {
    const [master, betas, others] = await ask(one, [
      ["SENTINEL", "MASTER", localSetName],
      ["SENTINEL", "REPLICAS", localSetName],
      ["SENTINEL", "SENTINELS", localSetName],
    ]);
    const alpha = readPlaces([master ?? null])[0];
    return {
      name: one.name,
      silent: undefined,
      alpha,
      betas: readPlaces(betas),
      others: readPlaces(others),
    };
  } catch (thrown) {
    return { name: one.name, silent: whyOf(thrown), alpha: undefined, betas: [], others: [] };
  }
}

/** Of each list of names and values the address. */
function readPlaces(replies: Reply | undefined): readonly HostPort[] {
  if (!Array.isArray(replies)) return [];
  return replies.flatMap((reply: Reply): HostPort[] => {
    if (!Array.isArray(reply)) return [];
    const value = (name: string) => String(reply[reply.indexOf(name) + 1]);
    return [{ host: value("ip"), port: Number(value("port")) }];
  });
}

function commandsOf(
  step: SetStep,
  shape: SetShape,
  all: readonly TestServer[],
): readonly Command[] {
  const { host, port } = step.alpha;
  switch (step.kind) {
    case "copy":
      return [
        ["REPLICAOF", host, port],
        ["CONFIG", "REWRITE"],
      ];
    case "watch":
      return watchCommands(step.alpha, shape);
    case "introduce":
      return all
        .filter((one) => one.isSentinel && isUp(one))
        .map((one) => helloOf(one, step.alpha));
  }
}

function watchCommands({ host, port }: HostPort, shape: SetShape): readonly Command[] {
  const { password } = shape.credentials;
  const set = (name: string, value: string | number | Buffer): Command => [
    ...["SENTINEL", "SET", localSetName],
    name,
    value,
  ];
  return [
    ["SENTINEL", "REMOVE", localSetName],
    ["SENTINEL", "MONITOR", localSetName, host, port, Math.floor(shape.sentinels / 2) + 1],
    ...(password ? [set("auth-pass", password)] : []),
    set("down-after-milliseconds", shape.downAfterMs),
    // One whose votes were split is begun anew after twice this time.
    set("failover-timeout", 5_000),
  ];
}

/**
 * What a Sentinel says of itself every two seconds, over the servers that it watches (`sentinelSendHello`). The
 * epochs are the least: nobody
 * takes them for news of the alpha.
 */
function helloOf(one: TestServer, alpha: HostPort): Command {
  const { host, port } = innerOf(one);
  const said = [host, port, one.id, 0, localSetName, alpha.host, alpha.port, 0];
  return ["PUBLISH", "__sentinel__:hello", said.join(",")];
}

function rosterOf(shape: SetShape): Topology["roster"] {
  const named = (length: number, name: string, isSentinel: boolean) =>
    Array.from({ length }, (_, index) => entryOf(`${name}-${index + 1}`, isSentinel, shape));
  return [...named(shape.betas + 1, "node", false), ...named(shape.sentinels, "sentinel", true)];
}

function entryOf(name: string, isSentinel: boolean, shape: SetShape): Topology["roster"][number] {
  const id = randomBytes(20).toString("hex");
  // Whom a Sentinel watches it is told when it runs. It has no password: it tells where the alpha is, and that is
  // all.
  const config = isSentinel
    ? renderLines({ "sentinel myid": id })
    : renderServer(renderAccess(shape.credentials), shape.config);
  return { id, spec: { name, isSentinel, config, configSince7: "" } };
}
