/**
 * A redis-server in the simulation: its node table, its data, and what it does with commands and with what it hears.
 * As far as the planner's decisions depend on it, it behaves like cluster_legacy.c (6.2 to 8.6).
 */
import { type Address, formatAddress, sameAddress } from "../../src/address.ts";
import {
  countSlots,
  isAlpha,
  type NodeEntry,
  type NodeTable,
  type SlotRange,
} from "../../src/cluster/nodes.ts";
import type { Answer } from "../../src/cluster/types.ts";

export interface Server {
  readonly id: string;
  /** The pod's, for cuts between two of them. */
  readonly name: string;
  readonly bornMs: number;
  address: Address;
  /** By id; the own entry is among them. */
  readonly known: Map<string, NodeEntry>;
  readonly banned: Set<string>;
  currentEpoch: number;
  /** How many writes of which shard (by its first slot) it holds. */
  data: Map<number, number>;
  hasFollowed: boolean;
}

export function createServer(
  { id, name, address, bornMs, data }: Pick<Server, "id" | "name" | "address" | "bornMs" | "data">,
  table: NodeTable | undefined,
): Server {
  const own: NodeEntry = {
    id,
    address,
    hostname: "",
    flags: ["myself", "master"],
    alphaId: undefined,
    epoch: 0,
    linkUp: true,
    heardAt: 0,
    slots: [],
    migrations: [],
  };
  const entries = table?.nodes ?? [own];
  return {
    id,
    name,
    bornMs,
    address,
    known: new Map(entries.map((entry) => [entry.id, entry])),
    banned: new Set(),
    currentEpoch: table?.currentEpoch ?? 0,
    data,
    hasFollowed: false,
  };
}

export function ownEntry(server: Server): NodeEntry {
  const own = server.known.get(server.id);
  if (own === undefined) throw new Error("a server knows itself");
  return own;
}

export function setEntry(server: Server, id: string, change: Partial<NodeEntry>): void {
  const entry = server.known.get(id);
  if (entry) server.known.set(id, { ...entry, ...change });
}

export const isAlphaServer = (server: Server): boolean => isAlpha(ownEntry(server));
export const shardOf = (slots: readonly SlotRange[]): number | undefined => slots[0]?.[0];
export const keysOf = (server: Server): number =>
  [...server.data.values()].reduce((sum, one) => sum + one, 0);

/** Its table as CLUSTER NODES prints it; `reaches` says to which entries it has a link. */
export function tableOf(server: Server, reaches: (entry: NodeEntry) => boolean): NodeTable {
  const nodes = [...server.known.values()].map((entry) => ({
    ...entry,
    linkUp: entry.id === server.id || reaches(entry),
  }));
  return { nodes, currentEpoch: server.currentEpoch, lastVoteEpoch: 0 };
}

export function answerOf(
  server: Server,
  reaches: (entry: NodeEntry) => boolean,
  clusterOk: boolean,
  nowMs: number,
): Answer {
  const own = ownEntry(server);
  const linked =
    own.alphaId !== undefined &&
    [...server.known.values()].some((entry) => entry.id === own.alphaId && reaches(entry));
  return {
    state: "answered",
    id: server.id,
    table: tableOf(server, reaches),
    clusterOk,
    keys: keysOf(server),
    role: isAlpha(own) ? "alpha" : "beta",
    offset: keysOf(server),
    inSync: linked && server.hasFollowed,
    syncing: false,
    hasFollowed: !isAlpha(own) && server.hasFollowed,
    uptimeSeconds: Math.floor((nowMs - server.bornMs) / 1_000),
    nodeTimeoutMs: 5_000,
  };
}

/** What a server hears of another one over a link: who it is, where, and what it claims. */
export function hear(listener: Server, speaker: Server): void {
  const claim = ownEntry(speaker);
  const before = listener.known.get(speaker.id);
  if (before === undefined) return;
  listener.currentEpoch = Math.max(listener.currentEpoch, speaker.currentEpoch, claim.epoch);
  const isNewer = isAlpha(claim) && claim.epoch >= before.epoch;
  const slots = isAlpha(claim) ? (isNewer ? winning(listener, claim) : before.slots) : [];
  listener.known.set(speaker.id, {
    ...claim,
    address: speaker.address,
    flags: claim.flags.filter((flag) => flag !== "myself"),
    slots,
  });
  if (isNewer) rebind(listener, claim);
}

/** Of the slots that it claims, those that nobody owns with a higher epoch. Ranges are whole shards here. */
function winning(listener: Server, claim: NodeEntry): readonly SlotRange[] {
  return claim.slots.filter(([first]) =>
    [...listener.known.values()].every(
      (other) => other.id === claim.id || other.epoch <= claim.epoch || !owns(other, first),
    ),
  );
}

const owns = (entry: NodeEntry, slot: number): boolean =>
  entry.slots.some(([first, last]) => first <= slot && slot <= last);

/** Whoever owned them with a lower epoch owns them no more; an alpha that lost all its slots becomes the winner's beta. */
function rebind(listener: Server, claim: NodeEntry): void {
  for (const [first] of claim.slots) {
    for (const other of [...listener.known.values()]) {
      if (other.id === claim.id || !owns(other, first) || other.epoch > claim.epoch) continue;
      if (other.epoch === claim.epoch && other.id > claim.id) continue;
      const slots = other.slots.filter(([start]) => start !== first);
      setEntry(listener, other.id, { slots });
      if (other.id === listener.id && countSlots(slots) === 0) {
        setEntry(listener, listener.id, {
          flags: ["myself", "slave"],
          alphaId: claim.id,
          epoch: 0,
        });
      }
    }
  }
}

/** CLUSTER MEET: both know each other afterwards; so do those of whom each tells the other. */
export function shakeHands(a: Server, b: Server): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const claim = ownEntry(other);
    if (!one.known.has(other.id)) {
      one.known.set(other.id, {
        ...claim,
        address: other.address,
        flags: [isAlpha(claim) ? "master" : "slave"],
        alphaId: undefined,
        slots: [],
        epoch: 0,
      });
    } else setEntry(one, other.id, { address: other.address });
  }
  hear(a, b);
  hear(b, a);
}

/** Nodes that the speaker knows and the listener does not; forgotten ones are banned for a while. */
export function gossip(listener: Server, speaker: Server): void {
  for (const entry of speaker.known.values()) {
    if (
      entry.address === undefined ||
      listener.known.has(entry.id) ||
      listener.banned.has(entry.id)
    )
      continue;
    listener.known.set(entry.id, {
      ...entry,
      flags: entry.flags.filter((flag) => flag !== "myself"),
      slots: [],
      epoch: 0,
    });
  }
}

export const describeServer = (server: Server): string =>
  `${server.id.slice(-3)}@${formatAddress(server.address)} ${isAlphaServer(server) ? "alpha" : `beta of ${ownEntry(server).alphaId?.slice(-3)}`} ${JSON.stringify(ownEntry(server).slots)} epoch ${ownEntry(server).epoch} data ${JSON.stringify([...server.data])} knows ${[...server.known.values()].map((entry) => `${entry.id.slice(-3)}${entry.address && !sameAddress(entry.address, server.address) ? "" : "?"}`).join(" ")}`;
