/**
 * What is not whole in a test's cluster, and what helps. Pure.
 *
 * Here everybody is known, with ids and addresses, and so is what was broken on purpose: far less has to be found
 * out and guarded than by a node that
 * boots among strangers.
 */
import { formatAddress, sameAddress } from "../address.ts";
import {
  countSlots,
  describeSlots,
  isAlpha,
  myselfOf,
  type SlotRange,
  slotCount,
} from "../cluster/nodes.ts";
import { findGaps, introduce } from "../cluster/plan-introductions.ts";
import { knowsAt } from "../cluster/topology.ts";
import type { Member, PeerView, Step } from "../cluster/types.ts";

/** A node that is there, whether it runs or not. */
export interface Known {
  readonly id: string;
  readonly name: string;
  readonly isFresh: boolean;
}

export const membersOf = (views: readonly PeerView[]): readonly Member[] =>
  views.filter(
    (view): view is Member => view.seen.state === "answered" && view.address !== undefined,
  );

/** One sentence each; none where all that is meant to run is whole. */
export function findFaults(views: readonly PeerView[], known: readonly Known[]): readonly string[] {
  const members = membersOf(views);
  return [
    ...views.flatMap(({ name, seen }) =>
      seen.state === "answered" ? [] : [`${name} does not answer: ${seen.why}`],
    ),
    ...slotFaults(members),
    ...members.flatMap((member) => memberFaults(member, members)),
    ...members.flatMap((member) =>
      ghostsOf(member, known).map(
        (id) => `${member.name} still lists ${id.slice(0, 8)}, which is gone`,
      ),
    ),
    ...disagreements(members),
  ];
}

function slotFaults(members: readonly Member[]): readonly string[] {
  const owners = new Array<number>(slotCount).fill(0);
  for (const member of members)
    for (const [first, last] of ownSlots(member))
      for (let slot = first; slot <= last; slot++) owners[slot] = (owners[slot] ?? 0) + 1;
  const free = rangesOf(owners, (count) => count === 0);
  const double = rangesOf(owners, (count) => count > 1);
  return [
    ...(free.length > 0 ? [`slots ${describeSlots(free)} are served by nobody`] : []),
    ...(double.length > 0 ? [`slots ${describeSlots(double)} have more than one alpha`] : []),
  ];
}

const ownSlots = ({ seen: { table } }: Member): readonly SlotRange[] =>
  myselfOf(table)?.slots ?? [];

function rangesOf(
  owners: readonly number[],
  fits: (count: number) => boolean,
): readonly SlotRange[] {
  const ranges: [number, number][] = [];
  owners.forEach((count, slot) => {
    if (!fits(count)) return;
    const last = ranges.at(-1);
    if (last?.[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  });
  return ranges;
}

function memberFaults({ name, seen }: Member, members: readonly Member[]): readonly string[] {
  const own = myselfOf(seen.table);
  const alpha = members.find((one) => one.seen.id === own?.alphaId);
  return [
    ...(seen.clusterOk ? [] : [`${name}: its cluster state is not ok`]),
    ...(seen.role === "alpha" && countSlots(own?.slots ?? []) === 0
      ? [`${name} is an alpha without slots`]
      : []),
    ...(seen.role === "beta" && alpha?.seen.role !== "alpha"
      ? [`the alpha of ${name} is gone`]
      : []),
    ...(seen.role === "beta" && !seen.inSync ? [`the beta ${name} is not in sync`] : []),
  ];
}

/** Who is in its table, and was replaced. */
const ghostsOf = ({ seen: { table } }: Member, known: readonly Known[]): readonly string[] =>
  table.nodes.map(({ id }) => id).filter((id) => !known.some((one) => one.id === id));

function disagreements(members: readonly Member[]): readonly string[] {
  const gaps = findGaps(members).map(
    ({ listener, subject }) => `${listener.name} does not know ${subject.name} as it is now`,
  );
  const shown = [...gaps, ...members.flatMap((member) => unheardNames(member, members))];
  const lost = members
    .filter((member) => !knowsItself(member))
    .map(({ name, address }) => `${name} does not know that it is at ${formatAddress(address)}`);
  const all = [...shown, ...lost];
  return all.length > 3 ? [...all.slice(0, 3), `… and ${all.length - 3} more`] : all;
}

/** The name that clients are told comes after the address, and until then they are told none. */
function unheardNames(listener: Member, members: readonly Member[]): readonly string[] {
  return members.flatMap(({ name, seen }) => {
    const announced = myselfOf(seen.table)?.hostname ?? "";
    const heard = listener.seen.table.nodes.find(({ id }) => id === seen.id)?.hostname ?? "";
    return announced === heard ? [] : [`${listener.name} has yet to hear the name of ${name}`];
  });
}

/** A node takes its own address from whoever greets it. */
function knowsItself({ address, seen: { table } }: Member): boolean {
  const own = myselfOf(table)?.address;
  return own !== undefined && sameAddress(own, address);
}

/** What brings them together; each step may be repeated. None where all is whole. */
export function planMending(views: readonly PeerView[], known: readonly Known[]): readonly Step[] {
  const members = membersOf(views);
  const heirs = findHeirs(views, known);
  // Whoever hears of an heir before it has taken over takes the slots from it: it says that it is a beta.
  const rest = members.filter((member) => !heirs.includes(member));
  const isOwner = (id: string) =>
    members.some(({ seen }) =>
      seen.table.nodes.some((node) => node.id === id && countSlots(node.slots) > 0),
    );
  return [
    ...heirs.filter(mayServe).map((at): Step => ({ kind: "promote", at, how: "takeover" })),
    ...introduce(rest),
    ...rest
      .filter((member) => !knowsItself(member))
      .flatMap((whom) =>
        rest
          .filter((at) => at !== whom)
          .slice(0, 1)
          .map((at): Step => ({ kind: "meet", at, whom })),
      ),
    // One that owns slots in anybody's eyes is not forgotten: its beta could not be elected.
    ...members.flatMap((at) =>
      ghostsOf(at, known)
        .filter((id) => !isOwner(id))
        .map((id): Step => ({ kind: "forget", at, id })),
    ),
  ];
}

/** Redis' own delay for a master that has just started (CLUSTER_WRITABLE_DELAY), in whole seconds. */
const writableDelaySeconds = 2;

const mayServe = ({ seen }: Member): boolean =>
  seen.clusterOk || seen.uptimeSeconds > writableDelaySeconds;

/**
 * Of an alpha that does not exist, and left nobody who has its data, the first new one is the heir. One that is old
 * and silent may have it; a beta that was
 * elected has it, whether the new one has heard of that or not.
 */
function findHeirs(views: readonly PeerView[], known: readonly Known[]): readonly Member[] {
  const members = membersOf(views);
  const isFresh = ({ name }: { readonly name: string }) =>
    known.some((one) => one.name === name && one.isFresh);
  const isGone = (id: string | undefined) =>
    id !== undefined && !known.some((one) => one.id === id);
  const alphaOf = ({ seen }: Member) => myselfOf(seen.table)?.alphaId;
  if (views.some((view) => view.seen.state !== "answered" && !isFresh(view))) return [];
  const orphans = members.filter((one) => one.seen.role === "beta" && isGone(alphaOf(one)));
  return orphans.filter((orphan) => {
    const fellows = orphans.filter((one) => alphaOf(one) === alphaOf(orphan));
    const slots = orphan.seen.table.nodes.find(({ id }) => id === alphaOf(orphan))?.slots ?? [];
    const isServed = members.some(
      (one) => one.seen.role === "alpha" && overlap(ownSlots(one), slots),
    );
    return fellows[0] === orphan && fellows.every(isFresh) && !isServed;
  });
}

const overlap = (some: readonly SlotRange[], others: readonly SlotRange[]): boolean =>
  some.some(([first, last]) => others.some(([from, to]) => first <= to && from <= last));

/**
 * Betas that know their alpha where it is, and have no link to it. Where a node learns by gossip that its alpha is
 * elsewhere, it goes on calling the old
 * address (`clusterProcessGossipSection`, unlike `nodeUpdateAddressIfNeeded`).
 */
export function findUnlinked(members: readonly Member[]): readonly Member[] {
  return members.filter((beta) => {
    const alphaId = myselfOf(beta.seen.table)?.alphaId;
    const alpha = members.find(({ seen }) => seen.id === alphaId && seen.role === "alpha");
    const { role, inSync, syncing } = beta.seen;
    return role === "beta" && !inSync && !syncing && alpha !== undefined && knowsAt(beta, alpha);
  });
}

/** The alpha of a slot, as itself and most others see it; undefined while there is none. */
export function alphaOfSlot(members: readonly Member[], slot: number): Member | undefined {
  return members.find(
    (member) =>
      member.seen.role === "alpha" &&
      ownSlots(member).some(([first, last]) => first <= slot && slot <= last) &&
      members.every(
        ({ seen }) =>
          !seen.table.nodes.some(
            (node) =>
              isAlpha(node) &&
              node.id !== member.seen.id &&
              node.epoch > (myselfOf(member.seen.table)?.epoch ?? 0) &&
              node.slots.some(([first, last]) => first <= slot && slot <= last),
          ),
      ),
  );
}
