/**
 * What is wrong with a cluster, one sentence each. Pure.
 */
import { formatAddress, sameAddress } from "../address.ts";
import { describeSlots, isAlpha, myselfOf } from "../cluster/nodes.ts";
import { findGaps } from "../cluster/plan-introductions.ts";
import { type Shard, slotsWithoutOwner } from "../cluster/shards.ts";
import { entryOf, isIdle, knowsAt, nameOf, type Topology } from "../cluster/topology.ts";
import type { Member, PeerView } from "../cluster/types.ts";

export function findProblems(topology: Topology, views: readonly PeerView[]): readonly string[] {
  return [
    ...topology.shards.flatMap((shard) => shardProblems(topology, shard)),
    ...unownedSlots(topology),
    ...unreachable(topology, views),
    ...ghosts(topology),
    ...betaProblems(topology),
    ...strayNodes(topology),
    ...disagreements(topology),
  ];
}

function shardProblems(topology: Topology, shard: Shard): readonly string[] {
  const slots = `slots ${describeSlots(shard.slots)}`;
  const alpha = nameOfNode(topology, shard.alphaId);
  if (shard.alpha === undefined) {
    return shard.betas.length > 0
      ? [
          `${slots}: the alpha ${alpha} does not answer; its beta ${shard.betas.map((beta) => beta.name).join(" or ")} can take over`,
        ]
      : [
          `${slots}: the alpha ${alpha} does not answer, and no beta of it either: these slots are not served`,
        ];
  }
  const absent = shard.absentBetas.map(
    (id) => `${slots}: the beta ${nameOfNode(topology, id)} of ${alpha} does not answer`,
  );
  const problems = isAlone(topology, shard)
    ? [...absent, `${slots}: the alpha ${alpha} has no beta; its data is in one place only`]
    : absent;
  return shard.alpha.seen.clusterOk
    ? problems
    : [...problems, `${alpha} does not serve yet: its cluster state is not ok`];
}

/** A cluster may be meant to have no betas; a single shard without one, beside others with some, is not. */
function isAlone(topology: Topology, { betas, absentBetas }: Shard): boolean {
  if (betas.length > 0) return false;
  return absentBetas.length > 0 || topology.shards.some((other) => other.betas.length > 0);
}

/** By the name that it was asked under, where it was. */
export function nameOfNode(topology: Topology, id: string): string {
  const addresses = (topology.absent.get(id) ?? []).flatMap((entry) => entry.address ?? []);
  const asked = topology.silent.find((peer) =>
    addresses.some((address) => sameAddress(address, peer.address)),
  );
  return asked?.name ?? nameOf(topology, id);
}

function unownedSlots(topology: Topology): readonly string[] {
  const free = slotsWithoutOwner(topology.shards);
  return free.length === 0 || topology.members.length === 0
    ? []
    : [`slots ${describeSlots(free)} have no owner`];
}

/** Peers that are known by name only; those in the tables are told of with their shard. */
function unreachable(topology: Topology, views: readonly PeerView[]): readonly string[] {
  const told = [...topology.absent.values()]
    .flat()
    .map((entry) => entry.address && formatAddress(entry.address));
  return views.flatMap(({ name, address, seen }) => {
    if (seen.state === "answered") return [];
    const isTold =
      seen.state === "silent" && address !== undefined && told.includes(formatAddress(address));
    return isTold ? [] : [`${name} does not answer: ${seen.why}`];
  });
}

function ghosts(topology: Topology): readonly string[] {
  const inShards = new Set(
    topology.shards.flatMap((shard) => [shard.alphaId, ...shard.absentBetas]),
  );
  return [...topology.absent.keys()]
    .filter((id) => !inShards.has(id))
    .map((id) => `${nameOfNode(topology, id)} is still in the nodes' tables and does not answer`);
}

function betaProblems(topology: Topology): readonly string[] {
  return topology.members.flatMap(({ name, seen }) => {
    if (seen.role !== "beta" || seen.inSync) return [];
    const alpha = nameOfNode(topology, myselfOf(seen.table)?.alphaId ?? "");
    return [
      seen.syncing
        ? `the beta ${name} is copying the data of ${alpha}`
        : `the beta ${name} has no link to its alpha ${alpha}`,
    ];
  });
}

function strayNodes(topology: Topology): readonly string[] {
  const blanks = topology.members.filter(
    (member) => isIdle(topology, member) && member.seen.role === "alpha",
  );
  return [
    ...blanks.map((member) => `${member.name} has no slots and is nobody's beta`),
    ...topology.foreign.map((member) => `${member.name} belongs to another cluster`),
  ];
}

/**
 * Who does not know whom as they are. That a beta has just joined some node hears late, within half a node timeout and by
 * itself; nobody is served worse for it.
 */
function disagreements(topology: Topology): readonly string[] {
  const gaps = findGaps(
    topology.members.filter((member) => !topology.blanks.includes(member)),
  ).filter(
    ({ listener, subject }) => subject.seen.role === "alpha" || !isKnownAsBeta(listener, subject),
  );
  const shown = gaps
    .slice(0, 3)
    .map(({ listener, subject }) => `${listener.name} does not know ${subject.name} as it is now`);
  return gaps.length > 3 ? [...shown, `… and ${gaps.length - 3} more such pairs`] : shown;
}

function isKnownAsBeta(listener: Member, subject: Member): boolean {
  const entry = entryOf(listener, subject.seen.id);
  return entry !== undefined && !isAlpha(entry) && knowsAt(listener, subject);
}
