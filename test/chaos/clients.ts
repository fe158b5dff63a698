/**
 * Clients that hide nothing: each has one connection to one node, asks nothing twice, and writes down what it was told.
 *
 * Six stay with a node each, whatever becomes of it; two follow the alphas; two only read.
 */
import { setTimeout as pause } from "node:timers/promises";
import { parseNodes, type SlotRange } from "../../src/cluster/nodes.ts";
import { slotOf } from "../../src/rdb/slots.ts";
import { type Connection, connect } from "../../src/redis/connection.ts";
import { type Reply, ReplyError } from "../../src/redis/resp.ts";
import { isRefusal, type Read, type Write } from "./history.ts";
import type { Monitor } from "./monitor.ts";
import type { Random } from "./random.ts";
import { noPassword } from "./views.ts";
import { type Host, lifeOf, type World } from "./world.ts";

export interface Clients {
  readonly writes: Write[];
  readonly reads: Read[];
  /** No new writes; those under way end. */
  end(): Promise<void>;
  /** One more to each list. @returns what did not succeed in time. */
  writeLast(withinMs: number): Promise<readonly string[]>;
}

const listCount = 48;
/** Then another list takes its place. */
const tokensPerList = 128;
const paceMs = 14;
const opDeadlineMs = 2_000;

export function startClients(world: World, monitor: Monitor, random: Random): Clients {
  const writes: Write[] = [];
  const reads: Read[] = [];
  const lists = Array.from({ length: listCount }, (_, index) => ({
    index,
    generation: 0,
    pushed: 0,
  }));
  const keyOf = (list: (typeof lists)[number]) => `l${list.index}:${list.generation}`;
  let isEnding = false;
  const betas = world.topology === "cluster" ? 1 : 2;

  interface Wire {
    readonly connection: Connection;
    readonly host: Host;
    readonly node: string;
    isReadOnly: boolean;
  }
  async function open(host: Host): Promise<Wire | undefined> {
    const ip = world.network.addressOf(host.name);
    try {
      const connection = await connect(
        { ip, port: world.port, busPort: 0 },
        { credentials: noPassword, tls: undefined, deadlineMs: opDeadlineMs },
      );
      return { connection, host, node: lifeOf(host), isReadOnly: false };
    } catch {
      return undefined;
    }
  }

  async function write(
    client: string,
    sequence: number,
    wire: Wire,
    list: (typeof lists)[number],
  ): Promise<Write> {
    const key = keyOf(list);
    if (++list.pushed >= tokensPerList)
      Object.assign(list, { generation: list.generation + 1, pushed: 0 });
    const token = `${client}.${sequence}`;
    const callMs = performance.now();
    const made = (result: Write["result"], error?: string): Write => ({
      client,
      node: wire.node,
      key,
      token,
      callMs,
      returnMs: performance.now(),
      result,
      ...(error !== undefined && { error }),
    });
    if (!wire.connection.open) return made("fail", "not connected");
    let written: Write;
    try {
      const [reply] = await wire.connection.send([["RPUSH", key, token]]);
      if (reply instanceof ReplyError)
        written = made(isRefusal(reply.message) ? "fail" : "unknown", reply.message);
      else written = made("ok");
    } catch (thrown) {
      wire.connection.close();
      written = made("unknown", (thrown as Error).message);
    }
    if (written.result === "ok" && random.chance(0.2)) {
      const [copies] = await wire.connection.send([["WAIT", betas, 300]]).catch(() => []);
      if (typeof copies === "number") written = { ...written, copies };
    }
    writes.push(written);
    return written;
  }

  /** @returns whether the node answered. */
  async function read(wire: Wire, role: Read["role"], key: string): Promise<boolean> {
    const callMs = performance.now();
    try {
      const isSet = world.topology === "sentinel";
      const ask = ["LRANGE", key, 0, -1] as const;
      const replies = await wire.connection.send(isSet ? [["ROLE"], ask, ["ROLE"]] : [ask]);
      const list = replies[isSet ? 1 : 0];
      if (!Array.isArray(list)) return false;
      const isAlpha = isSet
        ? replies[0] !== undefined &&
          roleIn(replies[0]) === "master" &&
          roleIn(replies[2]) === "master"
        : role === "alpha";
      reads.push({
        node: wire.node,
        role: isAlpha ? "alpha" : "beta",
        key,
        callMs,
        returnMs: performance.now(),
        tokens: list.map(String),
      });
      return true;
    } catch {
      wire.connection.close();
      return false;
    }
  }
  const roleIn = (reply: Reply | undefined): string =>
    Array.isArray(reply) ? String(reply[0]) : "";

  /** Stays with its node: writes where that says it may, reads where it is a beta. */
  async function stay(client: string, host: Host): Promise<void> {
    let wire: Wire | undefined;
    let [sequence, lookedMs] = [0, 0];
    let own: { role: "alpha" | "beta" | "unknown"; slots: readonly SlotRange[] } = {
      role: "unknown",
      slots: [],
    };
    while (!isEnding) {
      if (wire?.connection.open !== true) {
        wire = await open(host);
        lookedMs = 0;
        if (wire === undefined) {
          await pause(100);
          continue;
        }
      }
      if (performance.now() - lookedMs > 500) {
        own = await askRole(wire, world).catch(() => ({ role: "unknown" as const, slots: [] }));
        lookedMs = performance.now();
      }
      const fitting = lists.filter(
        (list) =>
          world.topology === "sentinel" || isWithin(slotOf(Buffer.from(keyOf(list))), own.slots),
      );
      if (fitting.length === 0 || own.role === "unknown") {
        await pause(100);
        continue;
      }
      const list = random.pick(fitting);
      if (own.role === "alpha") {
        const { result } = await write(client, ++sequence, wire, list);
        if (result !== "ok") lookedMs = 0;
        await pause(result === "ok" ? paceMs : 50);
      } else {
        if (!wire.isReadOnly) {
          await wire.connection.send([["READONLY"]]).catch(() => {});
          wire.isReadOnly = true;
        }
        await read(wire, "beta", keyOf(list));
        await pause(paceMs * 6);
      }
    }
    wire?.connection.close();
  }

  /** Goes where the alphas are. */
  async function roam(
    turn: (wire: Wire, list: (typeof lists)[number]) => Promise<boolean>,
  ): Promise<void> {
    const wires = new Map<string, Wire>();
    const elsewhere = new Map<number, string>();
    while (!isEnding) {
      const list = random.pick(lists);
      const slot = slotOf(Buffer.from(keyOf(list)));
      const host = hostFor(slot, elsewhere);
      let wire = host && wires.get(host.name);
      if (host && wire?.connection.open !== true) {
        wire = await open(host);
        if (wire) wires.set(host.name, wire);
      }
      if (wire === undefined || !(await turn(wire, list))) await pause(50);
      await pause(paceMs);
    }
    for (const { connection } of wires.values()) connection.close();
  }
  function hostFor(slot: number, elsewhere: Map<number, string>): Host | undefined {
    const shards = monitor.shards();
    const shard = shards.findLast(({ firstSlot }) => firstSlot <= slot);
    const name = elsewhere.get(slot) ?? shard?.alpha;
    return world.nodes.find((host) => host.name === name);
  }

  const work = [
    ...world.nodes.map((host) => stay(`p-${host.name}`, host)),
    ...["r1", "r2"].map((client) => {
      let sequence = 0;
      return roam(
        async (wire, list) => (await write(client, ++sequence, wire, list)).result === "ok",
      );
    }),
    ...["q1", "q2"].map(() =>
      roam(async (wire, list) => {
        await pause(30);
        return read(wire, "alpha", keyOf(list));
      }),
    ),
  ];
  return {
    writes,
    reads,
    async end() {
      isEnding = true;
      await Promise.all(work);
    },
    async writeLast(withinMs) {
      const deadline = performance.now() + withinMs;
      const left = new Set(lists);
      let sequence = 0;
      while (left.size > 0 && performance.now() < deadline) {
        for (const list of left) {
          const host = hostFor(slotOf(Buffer.from(keyOf(list))), new Map());
          const wire = host && (await open(host));
          if (wire && (await write("last", ++sequence, wire, list)).result === "ok")
            left.delete(list);
          wire?.connection.close();
        }
        await pause(100);
      }
      return [...left].map(keyOf);
    },
  };
}

const isWithin = (slot: number, ranges: readonly SlotRange[]): boolean =>
  ranges.some(([first, last]) => slot >= first && slot <= last);

/** What the node itself says: its role, and the slots of its shard. */
async function askRole({ connection }: { readonly connection: Connection }, { topology }: World) {
  if (topology === "sentinel") {
    const [reply] = await connection.send([["ROLE"]]);
    const role = Array.isArray(reply) ? String(reply[0]) : "";
    return {
      role:
        role === "master"
          ? ("alpha" as const)
          : role === "slave"
            ? ("beta" as const)
            : ("unknown" as const),
      slots: [],
    };
  }
  const [reply] = await connection.send([["CLUSTER", "NODES"]]);
  if (typeof reply !== "string" && !Buffer.isBuffer(reply))
    return { role: "unknown" as const, slots: [] };
  const { nodes } = parseNodes(String(reply));
  const myself = nodes.find(({ flags }) => flags.includes("myself"));
  const isAlpha = myself?.flags.includes("master") === true;
  const slots = isAlpha
    ? myself.slots
    : (nodes.find(({ id }) => id === myself?.alphaId)?.slots ?? []);
  return { role: isAlpha ? ("alpha" as const) : ("beta" as const), slots };
}
