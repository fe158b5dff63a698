/**
 * What the answering peers say together: who belongs to our cluster, who owns which slots, who is gone.
 *
 * Pure. One peer's opinion never counts for a failure (rule 2), and an address counts only where discovery names it now.
 */
import { type Address, formatAddress, sameAddress } from "../address.ts";
import { isAlpha, isFailed, myselfOf, type NodeEntry, type NodeTable } from "./nodes.ts";
import { foundingRanges } from "./seats.ts";
import { type Clusters, separateClusters, tellsOfCluster } from "./separate-clusters.ts";
import { resolveOwners, type Shard } from "./shards.ts";
import type { Member, Observation, PeerView, Self } from "./types.ts";

export interface Topology extends Clusters {
  readonly self: Self | undefined;
  /** Peers with an address that did not answer, or did not let us in; not those that are leaving: they do not come back. */
  readonly silent: readonly (PeerView & { readonly address: Address })[];
  readonly unaddressed: readonly PeerView[];
  /** Those that may answer soon: the silent ones, and pods that are just being started. Sorted by name. */
  readonly coming: readonly PeerView[];
  /** Nobody is coming any more: none is left, or none has stirred for as long as peers are waited for. */
  readonly isQuiet: boolean;
  /** A member's table, or our own nodes.conf, tells that the cluster was founded. */
  readonly formed: boolean;
  /** One for each owner of slots, in the order of their slots. */
  readonly shards: readonly Shard[];
  /** What is known of every node id that did not answer and is not ours. */
  readonly absent: ReadonlyMap<string, readonly NodeEntry[]>;
  readonly answeringAlphas: readonly Member[];
  /** How many owners of slots make a majority. */
  readonly majority: number;
  readonly currentEpoch: number;
}

export function readTopology(observation: Observation): Topology {
  const { self, peers } = observation;
  const clusters = separateClusters(peers, self, (member) => mayBeRestored(member, observation));
  const members = clusters.members.filter((member) => !isRetired(member, clusters.members));
  const absent = collectAbsent(members, self);
  const tables = [
    ...members.map((member) => member.seen.table),
    ...(self?.table ? [self.table] : []),
  ];
  const shards = resolveOwners(members, absent, self);
  const owners = new Set(shards.map((shard) => shard.alphaId));
  const unheard = peers.filter((peer) => peer.seen.state !== "answered" && !isLeaving(peer));
  const silent = unheard.filter(
    (peer): peer is PeerView & { address: Address } => peer.address !== undefined,
  );
  const coming = unheard.filter(({ address, pod }) => address || pod?.isTroubled === false);
  return {
    ...clusters,
    members,
    self,
    silent,
    unaddressed: unheard.filter((peer) => peer.address === undefined),
    coming,
    isQuiet: coming.length === 0 || observation.unchangedMs >= observation.policy.peerWaitMs,
    formed: tables.some(tellsOfCluster),
    shards,
    absent,
    answeringAlphas: members.filter((member) => owners.has(member.seen.id)),
    majority: Math.floor(shards.length / 2) + 1,
    currentEpoch: Math.max(
      0,
      ...tables.map((table) => table.currentEpoch),
      ...shards.map((shard) => shard.epoch),
    ),
  };
}

/** It owns just the slots of one seat, or copies one that does. */
function mayBeRestored(
  { seen }: Member,
  { policy, snapshot }: Pick<Observation, "policy" | "snapshot">,
): boolean {
  if (snapshot === undefined || snapshot === "none") return false;
  const [own, ...more] = myselfOf(seen.table)?.slots ?? [];
  if (own === undefined) return seen.role === "beta";
  const seats = foundingRanges(policy.nodes / (policy.replicas + 1));
  return more.length === 0 && seats.some(([first, last]) => own[0] === first && own[1] === last);
}

/** Its pod was deleted and is ending. */
export const isLeaving = ({ pod }: Pick<PeerView, "pod">): boolean => pod?.isLeaving === true;

/**
 * A leaving beta whose alpha answers: nobody needs it any more, and the others are about to forget it. It counts as absent;
 * introduced to anybody, it would be back in the tables that it has just been taken out of.
 */
function isRetired(member: Member, all: readonly Member[]): boolean {
  if (!isLeaving(member)) return false;
  const own = myselfOf(member.seen.table);
  if (own === undefined || own.slots.length > 0) return false;
  const alpha = all.find(({ seen }) => seen.id === own.alphaId);
  return alpha !== undefined && (myselfOf(alpha.seen.table)?.slots.length ?? 0) > 0;
}

/** For who looks on and decides nothing about whom to wait for. */
export const readFromOutside = (peers: readonly PeerView[]): Topology =>
  readTopology({ policy: onlooker, self: undefined, peers, unchangedMs: 0 });

const onlooker = {
  nodes: 0,
  replicas: 0,
  nodeTimeoutMs: 0,
  peerWaitMs: 0,
  onLostSlots: "wait",
} as const;

/** The entry of `id` in a member's table. */
export function entryOf(member: Member, id: string): NodeEntry | undefined {
  const { table } = member.seen;
  let index = indexes.get(table);
  if (index === undefined) {
    index = new Map(table.nodes.map((node) => [node.id, node]));
    indexes.set(table, index);
  }
  return index.get(id);
}

/** Tables never change once read; a hundred nodes ask each other's tables ten thousand times a look. */
const indexes = new WeakMap<NodeTable, ReadonlyMap<string, NodeEntry>>();

/** What members' tables and our own say of nodes that did not answer. */
function collectAbsent(
  members: readonly Member[],
  self: Self | undefined,
): ReadonlyMap<string, readonly NodeEntry[]> {
  const answering = new Set(members.map((member) => member.seen.id));
  const ownId = self?.table && myselfOf(self.table)?.id;
  const tables = [
    ...members.map((member) => member.seen.table),
    ...(self?.table ? [withoutLinks(self.table)] : []),
  ];
  const absent = new Map<string, NodeEntry[]>();
  for (const node of tables.flatMap((table) => table.nodes)) {
    if (answering.has(node.id) || node.id === ownId) continue;
    const entries = absent.get(node.id);
    if (entries) entries.push(node);
    else absent.set(node.id, [node]);
  }
  return absent;
}

/** The links in a nodes.conf are those of another life. */
const withoutLinks = (table: NodeTable): NodeTable => ({
  ...table,
  nodes: table.nodes.map((node) => ({ ...node, linkUp: false })),
});

/** Enough owners of slots answer us to decide for the cluster. */
export const hasMajority = (topology: Topology): boolean =>
  topology.answeringAlphas.length >= topology.majority;

/**
 * Rule 2: the node is failed because the majority of the answering alphas say so, or because its address is nobody's any
 * more and no peer has a live link to it. Either counts only while a majority of all alphas answers: two at least.
 */
export function isGoneOrFailed(topology: Topology, id: string): boolean {
  return hasMajority(topology) && (isFailedByMajority(topology, id) || isGone(topology, id));
}

function isFailedByMajority(topology: Topology, id: string): boolean {
  const alphas = topology.answeringAlphas;
  const votes = alphas.filter((alpha) => {
    const entry = entryOf(alpha, id);
    return entry !== undefined && isFailed(entry);
  });
  return votes.length > alphas.length / 2;
}

/**
 * Rule 2, second half: positive evidence that the node runs nowhere. A silent peer may be that very node, on its way at
 * another address; only when none is left, the address tells.
 */
export const isGone = (topology: Topology, id: string): boolean =>
  topology.isQuiet && hasLeftItsAddress(topology, id);

/** Nothing answers, nor may answer, where the node was known, and no peer has a live link to it. */
export function hasLeftItsAddress(topology: Topology, id: string): boolean {
  const entries = topology.absent.get(id) ?? [];
  return (
    entries.length > 0 &&
    entries.every((entry) => !entry.linkUp && !mayAnswerLater(topology, entry.address))
  );
}

/** The node's address is still named and nobody answered there: it may be starting. */
export function canComeBack(topology: Topology, id: string): boolean {
  return (topology.absent.get(id) ?? []).some((entry) => mayAnswerLater(topology, entry.address));
}

function mayAnswerLater(topology: Topology, address: Address | undefined): boolean {
  if (address === undefined || (topology.self && sameAddress(address, topology.self.address)))
    return false;
  return topology.silent.some((peer) => sameAddress(peer.address, address));
}

/**
 * The owners of slots that answer see each other, a majority of them at least: the cluster can fail over. This node counts
 * where it is one of the owners, about to return.
 */
export function isFunctioning(topology: Topology): boolean {
  const ownId = topology.self?.table && myselfOf(topology.self.table)?.id;
  const own = topology.shards.some((shard) => shard.alphaId === ownId) ? 1 : 0;
  const needed = topology.majority - own;
  const seeing = topology.answeringAlphas.filter((alpha) => {
    const seen = topology.answeringAlphas.filter((other) => other === alpha || sees(alpha, other));
    return seen.length >= needed;
  });
  return seeing.length >= needed;
}

/**
 * This node or one that answers is elsewhere than the own nodes.conf has it: the addresses of the others may have been dealt
 * anew as well.
 */
export function isRenumbered({ self, members }: Topology): boolean {
  const own = self?.table && myselfOf(self.table)?.address;
  if (self && own && !sameAddress(own, self.address)) return true;
  return members.some((member) => {
    const entry = self?.table?.nodes.find((node) => node.id === member.seen.id);
    return entry?.address !== undefined && !sameAddress(entry.address, member.address);
  });
}

/** Most of those that answer are as young as this boot: all were started at once, and some may have missed each other. */
export function isYoung(topology: Topology): boolean {
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  return (
    known.filter((member) => member.seen.uptimeSeconds < youngSeconds).length > known.length / 2
  );
}

const youngSeconds = 60;

function sees(member: Member, other: Member): boolean {
  const entry = entryOf(member, other.seen.id);
  return entry?.linkUp === true && knowsAt(member, other);
}

/** The member's table has the other node, at the address where it answered us. */
export function knowsAt(
  member: Member,
  other: Pick<Member, "address"> & { readonly seen: { readonly id: string } },
): boolean {
  const entry = entryOf(member, other.seen.id);
  return entry?.address !== undefined && sameAddress(entry.address, other.address);
}

/** How a node is called in a reason: its name in discovery, else its last address, else its id's beginning. */
export function nameOf(topology: Topology, id: string): string {
  const member = topology.members.find((one) => one.seen.id === id);
  if (member) return member.name;
  if (topology.self?.table && myselfOf(topology.self.table)?.id === id) return topology.self.name;
  const address = topology.absent.get(id)?.find((entry) => entry.address)?.address;
  return address ? formatAddress(address) : id.slice(0, 8);
}

/** A running alpha with nothing: no slots, no keys, and nobody's alpha. It can become anything. */
export function isIdle(topology: Topology, member: Member): boolean {
  const { id, role, keys, table } = member.seen;
  return (
    role === "alpha" &&
    keys === 0 &&
    !topology.shards.some((shard) => shard.alphaId === id) &&
    !table.nodes.some((node) => !isAlpha(node) && node.alphaId === id)
  );
}
