/**
 * Rule 3: a returning alpha never overrules a live beta, and an empty one never wipes its replicas.
 *
 * Where the alpha's disk does not hold every acknowledged write, a beta that followed it has the newer memory: it is promoted
 * first, and the old alpha returns as its beta.
 */
import { bestBeta, canBeElected } from "./election.ts";
import { describeSlots } from "./nodes.ts";
import type { Shard } from "./shards.ts";
import {
  canComeBack,
  hasMajority,
  isFunctioning,
  isGoneOrFailed,
  nameOf,
  type Topology,
} from "./topology.ts";
import type { Member, Observation, Plan, Self } from "./types.ts";

/** For an alpha that still owns its slots. Undefined: nothing is lost if it serves what its disk holds. */
export function guardData(
  observation: Observation,
  topology: Topology,
  self: Self,
  shard: Shard,
): Plan | undefined {
  // The server writes to the append-only file before it answers: all that was acknowledged is there.
  if (self.data === "aof") return undefined;
  const newer = bestBeta(shard.betas.filter((beta) => isNewer(beta, self)));
  const pending = shard.absentBetas.filter(
    (id) => canComeBack(topology, id) || !isGoneOrFailed(topology, id),
  );
  if (newer) return promoteBeta(topology, shard, newer, pending);
  return self.data === "none"
    ? guardEmpty(observation, topology, self, shard, pending)
    : guardSnapshot(observation, topology, pending);
}

/** A snapshot is older than the memory of whoever followed us since; an empty disk is poorer than any data. */
const isNewer = ({ seen }: Member, self: Self): boolean =>
  seen.hasFollowed ? self.data !== "none" || seen.keys > 0 : self.data === "none" && seen.keys > 0;

function promoteBeta(
  topology: Topology,
  shard: Shard,
  beta: Member,
  pending: readonly string[],
): Plan {
  const promote = (how: "force" | "takeover"): Plan => ({
    kind: "act",
    reason: `promoting ${beta.name}: its memory is newer than this alpha's disk`,
    steps: [{ kind: "promote", at: beta, how }],
    report: "Promoted",
  });
  if (hasMajority(topology)) {
    return canBeElected(topology, beta, shard.alphaId)
      ? promote("force")
      : wait(`${beta.name} has newer data; too few alphas know it as a beta yet`);
  }
  // Nobody can vote, so nobody else can be elected either; and the one owner of the slots is this node, which is not running.
  // A beta without rivals may take over.
  return pending.length === 0
    ? promote("takeover")
    : wait(`${beta.name} has newer data, and too few alphas answer to promote it`);
}

function guardEmpty(
  observation: Observation,
  topology: Topology,
  self: Self,
  shard: Shard,
  pending: readonly string[],
): Plan | undefined {
  const syncing = shard.betas.find((beta) => beta.seen.syncing);
  if (syncing) return wait(`this alpha is empty, and its beta ${syncing.name} is in a sync`);
  const { policy, unchangedMs } = observation;
  if (pending.length === 0 && self.unreadSnapshot) return refuseUnreadSnapshot();
  const isGivenUp = policy.onLostSlots !== "wait" && unchangedMs >= policy.peerWaitMs;
  if (pending.length > 0 && !isGivenUp)
    return wait(
      `this alpha's disk is empty; its data may be on ${namesOf(topology, pending)}, silent as yet`,
    );
  return policy.onLostSlots === "restore" ? restoreOwn(observation, self, shard) : undefined;
}

/** Nobody has its data any more. Undefined: there is no snapshot, or it is ready. */
function restoreOwn(
  { snapshot }: Observation,
  { restored }: Self,
  { slots }: Shard,
): Plan | undefined {
  const what = `this alpha's disk is empty, and nobody has the data of slots ${describeSlots(slots)}`;
  if (snapshot === "unknown")
    return { kind: "find-snapshot", reason: `${what}: is there a snapshot?` };
  if (snapshot !== "found" || describeSlots(restored ?? []) === describeSlots(slots))
    return undefined;
  return { kind: "restore", reason: `${what}: restoring it`, slots };
}

/** A snapshot is worth serving where no newer data turns up in time. When all nodes start at once, it is what there is. */
function guardSnapshot(
  { policy, unchangedMs }: Observation,
  topology: Topology,
  pending: readonly string[],
): Plan | undefined {
  if (pending.length === 0 || !isFunctioning(topology) || unchangedMs >= policy.peerWaitMs)
    return undefined;
  return wait(`newer data may be on ${namesOf(topology, pending)}, silent as yet`);
}

const wait = (reason: string): Plan => ({ kind: "wait", reason });

const namesOf = (topology: Topology, ids: readonly string[]): string =>
  ids.map((id) => nameOf(topology, id)).join(", ");

function refuseUnreadSnapshot(): Plan {
  return {
    kind: "refuse",
    exit: "refused",
    reason:
      "the data folder holds a snapshot and no append-only file, and with appendonly yes the server would start empty",
    hint: "start once with appendonly no, then CONFIG SET appendonly yes",
  };
}
