/**
 * Coming back with the nodes.conf of an earlier life, at the same address or a new one.
 */
import { compareNames } from "../address.ts";
import { becomeTable, type Role } from "./build-table.ts";
import { chooseAlphas } from "./choose-alphas.ts";
import { guardData } from "./guard-data.ts";
import { isAlpha, myselfOf, type NodeEntry, type NodeTable } from "./nodes.ts";
import { planFounding } from "./plan-founding.ts";
import { awaitHandOver, forgetGhosts, healSteps } from "./plan-healing.ts";
import { awaitAgreement } from "./plan-introductions.ts";
import {
  canComeBack,
  entryOf,
  isFunctioning,
  isRenumbered,
  isYoung,
  nameOf,
  type Topology,
} from "./topology.ts";
import type { Observation, Plan, Self, Step } from "./types.ts";

export function planReturning(
  observation: Observation,
  topology: Topology,
  self: Self,
  table: NodeTable,
): Plan {
  const own = myselfOf(table);
  if (own === undefined)
    return { kind: "set-aside", reason: "nodes.conf does not say which node it is of" };
  if (!topology.formed) return planFounding(observation, topology);
  const role = roleNow(topology, own, self);
  const shard = topology.shards.find((one) => one.alphaId === own.id);
  const guarded =
    "keepRole" in role && shard && isAlpha(own)
      ? guardData(observation, topology, self, shard)
      : undefined;
  return (
    guarded ??
    awaitAddresses(observation, topology) ??
    awaitFirstAnswer(observation, topology) ??
    awaitPeers(observation, topology, self, own) ??
    awaitHandOver(observation, topology) ??
    forgetGhosts(observation, topology) ??
    comeBack(observation, topology, self, role)
  );
}

/** What the cluster has made of this node while it was away. */
function roleNow(topology: Topology, own: NodeEntry, self: Self): Role {
  if (topology.shards.some((shard) => shard.alphaId === own.id)) return { keepRole: true };
  const members = topology.members.filter((member) => !topology.blanks.includes(member));
  if (members.length === 0) return { keepRole: true };
  // Follow the alpha to whoever owns slots now: it may have lost them to one of its betas.
  const followed = isAlpha(own) ? ownerOf(topology, own) : followAlpha(topology, own.alphaId);
  if (followed !== undefined) return { betaOf: followed };
  const chosen = chooseAlphas(topology, [self]).get(self.name);
  return chosen === undefined ? { keepRole: true } : { betaOf: chosen };
}

/** The node that owns the slots that were ours. */
function ownerOf(topology: Topology, own: NodeEntry): string | undefined {
  const first = own.slots[0]?.[0];
  if (first === undefined) return undefined;
  return topology.shards.find((shard) =>
    shard.slots.some(([from, to]) => from <= first && first <= to),
  )?.alphaId;
}

/** The alpha itself while it owns slots, else the one that it copies now. */
function followAlpha(topology: Topology, alphaId: string | undefined): string | undefined {
  if (alphaId === undefined || topology.shards.some((shard) => shard.alphaId === alphaId))
    return alphaId;
  const successors = topology.members.flatMap((member) => entryOf(member, alphaId)?.alphaId ?? []);
  return successors.find((id) => topology.shards.some((shard) => shard.alphaId === id));
}

/**
 * All were started at once, and of some Kubernetes has yet to say where they are. Servers that run for a node timeout
 * without hearing of each other call each other failed, and take that back only two node timeouts later
 * (`clearNodeFailureIfNeeded`): better to start together.
 */
function awaitAddresses(
  { policy, unchangedMs }: Observation,
  topology: Topology,
): Plan | undefined {
  const names = topology.coming.filter(({ address }) => !address).map(({ name }) => name);
  if (names.length === 0 || unchangedMs >= policy.peerWaitMs || isFunctioning(topology))
    return undefined;
  return { kind: "wait", reason: `no address yet: ${names.join(", ")}` };
}

/**
 * Nobody answers yet, and this node is where it was: so may the others be, or their addresses may have been dealt anew and
 * this one by chance as before. The first answer tells. A wrong guess is dear: a server that meets a stranger where it
 * expected an alpha has everybody call that alpha failed, for two node timeouts (Valkey 8.1, `clusterProcessPacket`).
 */
function awaitFirstAnswer({ unchangedMs }: Observation, topology: Topology): Plan | undefined {
  const guesses = [...topology.absent.keys()].filter((id) => canComeBack(topology, id));
  if (
    topology.members.length > 0 ||
    guesses.length === 0 ||
    isRenumbered(topology) ||
    unchangedMs >= doubtMs
  )
    return undefined;
  return {
    kind: "wait",
    reason: "nobody answers yet; the first who does tells whether all are where they were",
  };
}

/** Nodes that are started at once are about this far apart. */
const doubtMs = 500;

/**
 * With a working cluster in sight nothing is waited for. When all nodes start at once there is none: then the last by name
 * of those that do not answer stays, waits for the others, and introduces them at their new addresses. A beta does not wait
 * for the very last of them if its alpha is not among those that answer: that may be its alpha, empty, and waiting to see
 * what this beta has (rule 3). One without an address is waited for in any case: it may be running for seconds before
 * Kubernetes tells where.
 */
function awaitPeers(
  observation: Observation,
  topology: Topology,
  self: Self,
  own: NodeEntry,
): Plan | undefined {
  const { policy, unchangedMs } = observation;
  if (
    unchangedMs >= policy.peerWaitMs ||
    topology.coming.some((peer) => compareNames(peer.name, self.name) > 0)
  )
    return undefined;
  const [only, ...more] = topology.coming;
  const isAwaitedByAlpha =
    only?.address !== undefined && more.length === 0 && !hasAlphaInSight(topology, own);
  const isStaying = isAlpha(own) || !isAwaitedByAlpha;
  if (isStaying && topology.coming.length > 0 && (!isFunctioning(topology) || isYoung(topology))) {
    const names = topology.coming.map((peer) => peer.name).join(", ");
    return {
      kind: "wait",
      reason: `all were started at once; waiting for ${names} to introduce them`,
    };
  }
  return awaitAgreement(observation, topology);
}

const hasAlphaInSight = (topology: Topology, own: NodeEntry): boolean =>
  topology.members.some(({ seen }) => seen.id === own.alphaId);

function comeBack(observation: Observation, topology: Topology, self: Self, role: Role): Plan {
  const steps: readonly Step[] = healSteps(observation, topology, self);
  const table = becomeTable(topology, isForgotten(topology, self) ? withoutId(self) : self, role);
  const as = "betaOf" in role ? `as a beta of ${nameOf(topology, role.betaOf)}` : "in its old role";
  const isRestored = self.restored !== undefined && "keepRole" in role;
  const report = isRestored ? "Restored" : "Returned";
  return { kind: "become", reason: `coming back ${as}`, steps, table, report, isRestored };
}

/**
 * All that answer have forgotten this node, and owner of slots it is none: under its old id they would drop it again and
 * again, since a forgotten id is banned for a minute, and from 7.2 on the ban itself is gossiped
 * (`clusterProcessPingExtensions`).
 */
function isForgotten(topology: Topology, self: Self): boolean {
  const id = self.table && myselfOf(self.table)?.id;
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  if (id === undefined || known.length === 0 || !isFunctioning(topology)) return false;
  if (topology.shards.some(({ alphaId }) => alphaId === id)) return false;
  return known.every((member) => entryOf(member, id) === undefined);
}

/** What is on the disk stays; only who it was is given up, and a new id drawn. */
const withoutId = (self: Self): Self => ({ ...self, table: undefined });
