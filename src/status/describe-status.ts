/**
 * What the nodes say, as a person wants to know it: shards, and what is wrong in words. Pure.
 */
import { formatAddress } from "../address.ts";
import { countSlots, myselfOf, type SlotRange } from "../cluster/nodes.ts";
import { type Shard, slotsWithoutOwner } from "../cluster/shards.ts";
import { readFromOutside, type Topology } from "../cluster/topology.ts";
import type { Member, PeerView } from "../cluster/types.ts";
import { findProblems, nameOfNode } from "./find-problems.ts";
import { findWarnings } from "./find-warnings.ts";

export interface StatusNode {
  readonly name: string;
  readonly address: string;
  readonly id: string;
  readonly role: "alpha" | "beta";
  readonly answers: boolean;
  readonly keys: number;
  /** Beta: bytes of the replication stream behind its alpha; undefined where either is not known. */
  readonly lagBytes: number | undefined;
  readonly state: "ok" | "syncing" | "link down" | "not ok" | "silent";
  /** On Kubernetes: the machine. */
  readonly kubernetesNode?: string | undefined;
  /** On Kubernetes: the hash of the pod's template. */
  readonly template?: string | undefined;
}

export interface StatusShard {
  readonly slots: readonly SlotRange[];
  readonly epoch: number;
  readonly alpha: StatusNode;
  readonly betas: readonly StatusNode[];
}

export interface Status {
  /** `whole`: every slot served, every node ok, all in agreement. `down`: slots that nobody serves. */
  readonly state: "whole" | "degraded" | "down" | "unreachable";
  readonly shards: readonly StatusShard[];
  /** Nodes that answer and belong to no shard. */
  readonly idle: readonly string[];
  readonly nodes: number;
  readonly slotsServed: number;
  readonly epoch: number;
  /** One sentence each; none in a whole cluster. */
  readonly problems: readonly string[];
  /** What works now and would not survive the loss of one machine. */
  readonly warnings: readonly string[];
}

/** Of what is shown, the part that is the same for every topology. */
export type Shown = Pick<Status, "state" | "problems">;

export function describeStatus(seen: readonly PeerView[]): Status {
  // Who is about to leave is still there to be seen.
  const views = seen.map((view) =>
    view.pod ? { ...view, pod: { ...view.pod, isLeaving: false } } : view,
  );
  const topology = readFromOutside(views);
  const problems = findProblems(topology, views);
  const shards = topology.shards.map((shard) => describeShard(topology, shard));
  const served = topology.shards.filter((shard) => shard.alpha).flatMap((shard) => shard.slots);
  const slotsServed = countSlots(served);
  const anybody = topology.members.length > 0 || topology.foreign.length > 0;
  const isDown =
    slotsWithoutOwner(topology.shards).length > 0 || topology.shards.some((shard) => !shard.alpha);
  return {
    state: !anybody ? "unreachable" : isDown ? "down" : problems.length > 0 ? "degraded" : "whole",
    shards,
    idle: idleNodes(topology),
    nodes: topology.members.length,
    slotsServed,
    epoch: topology.currentEpoch,
    problems,
    warnings: findWarnings(topology),
  };
}

function describeShard(topology: Topology, shard: Shard): StatusShard {
  const { alpha, alphaId, slots, epoch, betas, absentBetas } = shard;
  return {
    slots,
    epoch,
    alpha: alpha ? describeMember(alpha, undefined) : describeAbsent(topology, alphaId, "alpha"),
    betas: [
      ...betas.map((beta) => describeMember(beta, alpha)),
      ...absentBetas.map((id) => describeAbsent(topology, id, "beta")),
    ],
  };
}

function describeMember(member: Member, alpha: Member | undefined): StatusNode {
  const { id, role, keys, inSync, syncing, clusterOk, offset } = member.seen;
  const link = role === "beta" && !inSync ? (syncing ? "syncing" : "link down") : undefined;
  return {
    name: member.name,
    address: formatAddress(member.address),
    id,
    role,
    answers: true,
    keys,
    lagBytes: role === "beta" && alpha ? Math.max(0, alpha.seen.offset - offset) : undefined,
    state: link ?? (clusterOk ? "ok" : "not ok"),
    kubernetesNode: member.pod?.kubernetesNode,
    template: member.pod?.template,
  };
}

function describeAbsent(topology: Topology, id: string, role: "alpha" | "beta"): StatusNode {
  const address = topology.absent.get(id)?.find((entry) => entry.address)?.address;
  const shown = address ? formatAddress(address) : id.slice(0, 8);
  return {
    name: nameOfNode(topology, id),
    address: shown,
    id,
    role,
    answers: false,
    keys: 0,
    lagBytes: undefined,
    state: "silent",
  };
}

function idleNodes(topology: Topology): readonly string[] {
  const owners = new Set(topology.shards.map((shard) => shard.alphaId));
  return topology.members
    .filter(
      (member) =>
        !owners.has(member.seen.id) && !owners.has(myselfOf(member.seen.table)?.alphaId ?? ""),
    )
    .map((member) => member.name);
}
