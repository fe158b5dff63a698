/**
 * Leaving a cluster in good order: hand the slots over, then be forgotten. Pure.
 *
 * Seen from outside: the node that leaves is a running server like the others. Redis' own hand-over (CLUSTER FAILOVER
 * without an option) loses no acknowledged write: the alpha holds writes back until its beta has processed all before them.
 */

import { compareNames } from "../address.ts";
import { isTogether } from "./match-betas.ts";
import { describeSlots, myselfOf } from "./nodes.ts";
import type { Shard } from "./shards.ts";
import { spreadBetas } from "./spread-betas.ts";
import { entryOf, isLeaving, type Topology } from "./topology.ts";
import type { Member, PeerView, Plan, Step } from "./types.ts";

export interface Leaving {
  readonly own: Member;
  readonly topology: Topology;
  /** Peers that do not answer yet and will stay, by name: betas to be, perhaps. */
  readonly awaited: readonly PeerView[];
  /** Since anything changed. */
  readonly unchangedMs: number;
}

/** A newcomer may have written this node down a moment ago; it is told as soon as it answers. */
const newcomerMs = 8_000;

export function planDrain(leaving: Leaving): Plan {
  const { own, topology, awaited } = leaving;
  const others = topology.members.filter((member) => member.seen.id !== own.seen.id);
  const known = others.filter(
    (member) => entryOf(own, member.seen.id) || entryOf(member, own.seen.id),
  );
  const shard = topology.shards.find(({ alphaId }) => alphaId === own.seen.id);
  if (known.length === 0 && shard === undefined)
    return { kind: "done", reason: "this node is in no cluster with anybody that answers" };
  const staying = known.filter((member) => !isLeaving(member));
  if (staying.length === 0 && awaited.length === 0) {
    return {
      kind: "done",
      reason:
        "nobody stays to take over: the whole cluster is stopping, and every node keeps what it has on its disk",
    };
  }
  return shard ? handOver(leaving, shard) : leave(leaving, known);
}

function handOver({ own, awaited }: Leaving, shard: Shard): Plan {
  const slots = `slots ${describeSlots(shard.slots)}`;
  const staying = shard.betas.filter((beta) => !isLeaving(beta));
  const [heir] = staying.filter((beta) => beta.seen.inSync).sort((a, b) => compareHeirs(a, b, own));
  if (heir) {
    return {
      kind: "act",
      reason: `handing ${slots} over to ${heir.name}`,
      steps: [{ kind: "promote", at: heir, how: "in order" }],
      report: "HandingOver",
    };
  }
  const copying = staying.map(({ name }) => name).join(", ");
  if (copying !== "") return { kind: "wait", reason: `${slots} wait for ${copying} to be in sync` };
  const names = awaited.map(({ name }) => name).join(", ");
  return {
    kind: "wait",
    reason: `no beta of ${slots} can take over${names === "" ? "" : `; ${names} may become one`}`,
  };
}

/**
 * The newest template first: the others are about to leave too. Then another machine than ours, which may be about to go
 * down. The order must not change from look to look while a hand-over is under way, as the offsets do.
 */
function compareHeirs(a: Member, b: Member, own: Member): number {
  const machine = own.pod?.kubernetesNode;
  const isNear = ({ pod }: Member) => (isTogether(machine, pod?.kubernetesNode) ? 1 : 0);
  const isOld = ({ pod }: Member) => (pod?.isOfNewestTemplate === false ? 1 : 0);
  const isFarBehind = ({ seen }: Member) => (own.seen.offset - seen.offset > 1_000_000 ? 1 : 0);
  return (
    isOld(a) - isOld(b) ||
    isNear(a) - isNear(b) ||
    isFarBehind(a) - isFarBehind(b) ||
    compareNames(a.name, b.name)
  );
}

function leave(leaving: Leaving, known: readonly Member[]): Plan {
  const { own } = leaving;
  const { id } = own.seen;
  const behind = known.filter((member) => (entryOf(member, id)?.slots.length ?? 0) > 0);
  if (behind.length > 0)
    return { kind: "wait", reason: `${namesOf(behind)} have yet to hear who has the slots now` };
  const followers = known.filter(({ seen }) => myselfOf(seen.table)?.alphaId === id);
  if (followers.length > 0)
    return { kind: "wait", reason: `${namesOf(followers)} have yet to follow the new alpha` };
  return own.pod?.isLeaving === false ? stay(own) : beForgotten(leaving, known);
}

/** Asked for by hand, or by the kubelet before it restarts the container: nobody would introduce it again. */
function stay({ seen }: Member): Plan {
  if (seen.role === "beta" && !seen.inSync)
    return { kind: "wait", reason: "this node is yet to copy the new alpha" };
  return { kind: "done", reason: "this node has no slots and stays a beta: its pod is not ending" };
}

function beForgotten(
  { own, topology, awaited, unchangedMs }: Leaving,
  known: readonly Member[],
): Plan {
  const { id } = own.seen;
  const steps = known
    .filter((member) => entryOf(member, id))
    .map((at): Step => ({ kind: "forget", at, id }));
  if (steps.length > 0)
    return { kind: "act", reason: `leaving: ${own.name} is forgotten by all`, steps };
  if (awaited.length > 0 && unchangedMs < newcomerMs)
    return { kind: "wait", reason: `${namesOf(awaited)} may know this node when it answers` };
  // Where all leave at once, whoever is last sees how those that stay are dealt.
  return spreadBetas(topology) ?? { kind: "done", reason: "this node has left the cluster" };
}

const namesOf = (peers: readonly { readonly name: string }[]): string =>
  peers.map(({ name }) => name).join(", ");
