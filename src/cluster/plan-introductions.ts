/**
 * Who must still hear of whom. CLUSTER MEET carries what the sender knows of itself: role, slots and epoch. Left to gossip
 * alone, a young or renumbered cluster takes 4 to 12 seconds to agree; told again, it takes a round trip.
 */
import { hastenAlphas, isHastened } from "./hasten.ts";
import { countSlots, isAlpha, myselfOf } from "./nodes.ts";
import { entryOf, isYoung, knowsAt, type Topology } from "./topology.ts";
import type { Member, Observation, Plan, Policy, Step } from "./types.ts";

/** The listener does not know the subject at its present address, or not in its present role with its present slots. */
export interface Gap {
  readonly listener: Member;
  readonly subject: Member;
}

/**
 * So many nodes that introductions are what takes the time: each is two connections between servers, and a hundred nodes have
 * five thousand. Only what the cluster cannot work without is told then; whose beta a beta is, is left to gossip.
 */
export const isCrowd = (members: readonly Member[]): boolean => members.length > 40;

export function findGaps(members: readonly Member[]): readonly Gap[] {
  const crowded = isCrowd(members);
  const gaps: Gap[] = [];
  for (const listener of members) {
    for (const subject of members) {
      if (listener !== subject && !isUpToDate(listener, subject, crowded))
        gaps.push({ listener, subject });
    }
  }
  return gaps;
}

function isUpToDate(listener: Member, subject: Member, crowded: boolean): boolean {
  const entry = entryOf(listener, subject.seen.id);
  const truth = myselfOf(subject.seen.table);
  return (
    entry !== undefined &&
    truth !== undefined &&
    knowsAt(listener, subject) &&
    isAlpha(entry) === isAlpha(truth) &&
    (crowded || entry.alphaId === truth.alphaId) &&
    countSlots(entry.slots) === countSlots(truth.slots)
  );
}

/**
 * The subject greets the listener. Where they do not know each other at all, the listener answers in kind; where only what
 * it knows is old, the greeting brings it up to date.
 */
const greet = ({ listener, subject }: Gap): Step => ({ kind: "meet", at: subject, whom: listener });

/** Introductions of all members that do not know each other as they are; none in a settled cluster. */
export function introduce(members: readonly Member[]): readonly Step[] {
  return findGaps(members).filter(isFirstOfTwo).map(greet);
}

/**
 * Two that do not know each other at all need one greeting, not two: both learn of each other by it. Of a beta and an alpha
 * the beta greets: who is greeted learns no more than that the other is there, who greets learns the other's slots as well
 * (`clusterProcessPacket` reads them from nodes that it knew before).
 */
function isFirstOfTwo({ listener, subject }: Gap): boolean {
  const isMutual =
    entryOf(listener, subject.seen.id) === undefined &&
    entryOf(subject, listener.seen.id) === undefined;
  if (!isMutual) return true;
  return subject.seen.role === listener.seen.role
    ? subject.seen.id < listener.seen.id
    : subject.seen.role === "beta";
}

/** How many introductions are open. */
export function countGaps(members: readonly Member[]): number {
  return findGaps(members).length;
}

/** It works, and not just since a moment ago: two that missed each other at a common start may never meet by gossip. */
const isSettled = (topology: Topology, known: readonly Member[]): boolean =>
  known.every((member) => member.seen.clusterOk) && !isYoung(topology);

/**
 * A cluster that was just founded, or came back with new addresses, is watched until its nodes agree. One that works is
 * left to itself: its tables may differ for a moment during a failover or a resharding.
 */
export function awaitAgreement(
  { policy, unchangedMs }: Observation,
  topology: Topology,
): Plan | undefined {
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  if (unchangedMs >= policy.peerWaitMs || isSettled(topology, known)) return undefined;
  const gaps = findGaps(known);
  if (gaps.length > 0) {
    return {
      kind: "act",
      reason: "introducing nodes to each other until all agree",
      steps: introduce(known),
    };
  }
  return awaitHastened(policy, topology, known);
}

/** A founding that came late: its alphas are helped to `ok`, and get their node timeout back before we leave. */
function awaitHastened(
  policy: Policy,
  topology: Topology,
  known: readonly Member[],
): Plan | undefined {
  const isEmpty = known.every((member) => member.seen.keys === 0);
  const steps = isEmpty
    ? hastenAlphas(
        policy,
        topology.answeringAlphas.filter((alpha) => alpha.seen.uptimeSeconds > 2),
      )
    : [];
  const late = known.filter((member) => isHastened(policy, member) && !member.seen.clusterOk);
  if (steps.length === 0 && late.length === 0) return undefined;
  return { kind: "act", reason: "helping the alphas to cluster_state:ok", steps };
}
