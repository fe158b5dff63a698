/**
 * What works now and would not survive the loss of one machine, one sentence each. Pure.
 */
import { describeSlots } from "../cluster/nodes.ts";
import type { Topology } from "../cluster/topology.ts";

export function findWarnings(topology: Topology): readonly string[] {
  const machines = new Set(topology.members.map(({ pod }) => pod?.kubernetesNode));
  const [only] = machines;
  if (machines.size === 1 && only !== undefined && topology.members.length > 1)
    return [`all nodes run on one Kubernetes node (${only}): losing it loses everything`];
  return topology.shards.flatMap(({ alpha, betas, slots }) => {
    const machine = alpha?.pod?.kubernetesNode;
    const isTogether =
      betas.length > 0 && betas.every(({ pod }) => pod?.kubernetesNode === machine);
    if (alpha === undefined || machine === undefined || !isTogether) return [];
    const names = betas.map(({ name }) => name).join(" and ");
    return [
      `${alpha.name} and its beta ${names} run on one Kubernetes node (${machine}): losing it loses slots ${describeSlots(slots)}`,
    ];
  });
}
