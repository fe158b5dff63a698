/**
 * Which of the answering peers belong together (rule 6): nodes of one cluster share node ids.
 *
 * A pod's address may have been another cluster's a minute ago; whoever shares no id with us and is not blank is never met.
 */
import { countSlots, myselfOf, type NodeEntry, type NodeTable, slotCount } from "./nodes.ts";
import type { Member, PeerView, Self } from "./types.ts";

export interface Clusters {
  /** Answering nodes of our cluster, blank ones included, sorted by name. */
  readonly members: readonly Member[];
  /** Those of the members that know nobody, own nothing and hold nothing. */
  readonly blanks: readonly Member[];
  /** Answering nodes of some other cluster. */
  readonly foreign: readonly Member[];
  /** More than one founded cluster answers and nothing tells which is ours, or ours is not among them. */
  readonly ambiguous: boolean;
}

/** @param isRestored whether a node with keys may have them from a snapshot, in a founding that is not at its end. */
export function separateClusters(
  peers: readonly PeerView[],
  self: Self | undefined,
  isRestored: (member: Member) => boolean = () => false,
): Clusters {
  const answering = peers.filter((peer): peer is Member => peer.seen.state === "answered");
  const blanks = answering.filter(isBlank);
  const groups = groupBySharedIds(answering.filter((member) => !blanks.includes(member)));
  const { ours, ambiguous } = chooseOurs(groups, answering, self, isRestored);
  const members = answering.filter(
    (member) => blanks.includes(member) || ours.some((group) => group.includes(member)),
  );
  return {
    members,
    blanks,
    foreign: answering.filter((member) => !members.includes(member)),
    ambiguous,
  };
}

/** Knows nobody, owns nothing, holds nothing. An epoch it may have: that is a coordinator's claim. */
export function isBlank(member: Member): boolean {
  const { table, keys, role } = member.seen;
  return (
    table.nodes.length === 1 &&
    role === "alpha" &&
    keys === 0 &&
    countSlots(myselfOf(table)?.slots ?? []) === 0
  );
}

function idsOf(member: Member): ReadonlySet<string> {
  return new Set([member.seen.id, ...member.seen.table.nodes.map((node) => node.id)]);
}

type Group = readonly Member[];

function groupBySharedIds(members: readonly Member[]): readonly Group[] {
  let groups: { ids: Set<string>; members: Member[] }[] = [];
  for (const member of members) {
    const ids = idsOf(member);
    const joined = groups.filter((group) => [...ids].some((id) => group.ids.has(id)));
    const merged = {
      ids: new Set([...ids, ...joined.flatMap((group) => [...group.ids])]),
      members: [...joined.flatMap((group) => group.members), member],
    };
    groups = [...groups.filter((group) => !joined.includes(group)), merged];
  }
  return groups.map((group) => group.members);
}

function chooseOurs(
  groups: readonly Group[],
  answering: readonly Member[],
  self: Self | undefined,
  isRestored: (member: Member) => boolean,
): { ours: readonly Group[]; ambiguous: boolean } {
  const founded = groups.filter((group) => group.some(({ seen }) => tellsOfCluster(seen.table)));
  if (self?.table) {
    const known = new Set(self.table.nodes.map((node) => node.id));
    const related = groups.filter((group) =>
      group.some((member) => [...idsOf(member)].some((id) => known.has(id))),
    );
    if (related.length > 0)
      return {
        ours: [...related, ...halfFounded(groups, founded, answering, isRestored)],
        ambiguous: false,
      };
  }
  if (founded.length > 1) return { ours: [], ambiguous: true };
  if (founded.length === 1)
    return { ours: self?.table ? [] : founded, ambiguous: self?.table !== undefined };
  return { ours: halfFounded(groups, founded, answering, isRestored), ambiguous: false };
}

/**
 * Groups that a founding which was cut off left behind: no slots missing an owner elsewhere, no keys but restored ones, and
 * nobody in their tables who is not an answering peer of ours. With a founded cluster in sight there are none.
 */
function halfFounded(
  groups: readonly Group[],
  founded: readonly Group[],
  answering: readonly Member[],
  isRestored: (member: Member) => boolean,
): readonly Group[] {
  if (founded.length > 0) return [];
  const present = new Set(answering.map((member) => member.seen.id));
  return groups.filter((group) =>
    group.every(
      (member) =>
        (member.seen.keys === 0 || isRestored(member)) &&
        [...idsOf(member)].every((id) => present.has(id)),
    ),
  );
}

/**
 * Every slot has an owner: the cluster was founded. So it was where several owners have betas, which a founding deals out when all slots
 * are: one owner was forgotten since, with nobody in its place yet.
 */
export function tellsOfCluster({ nodes }: NodeTable): boolean {
  const owners = nodes.filter(({ slots }) => slots.length > 0);
  if (countSlots(owners.flatMap(({ slots }) => slots)) === slotCount) return true;
  const hasBeta = ({ id }: NodeEntry) => nodes.some(({ alphaId }) => alphaId === id);
  return owners.length > 1 && owners.every(hasBeta);
}
