/**
 * What a resident healer does for a cluster that runs: what otherwise the next node does on its way in. Pure.
 *
 * It looks from outside and founds nothing. The order: promotions first, then introductions, then ghosts are forgotten, then
 * nodes without an alpha get one. Tables differ for a moment in every failover and every join, so that only what has lasted
 * is acted upon.
 */

import { restoreNodeTimeouts } from "./hasten.ts";
import { ghostSteps } from "./plan-healing.ts";
import { findGaps, introduce } from "./plan-introductions.ts";
import { adoptSteps, promoteForGoneAlpha } from "./plan-joining.ts";
import { isIdle, nameOf, readTopology, type Topology } from "./topology.ts";
import type { Observation, Plan } from "./types.ts";

/** @param settleMs how long a fault must have lasted. */
export function planResident(observation: Observation, settleMs: number): Plan {
  const topology = readTopology(observation);
  if (topology.ambiguous || topology.foreign.length > 0)
    return {
      kind: "wait",
      reason: "the peers belong to more than one cluster: nothing is touched",
    };
  if (!topology.formed) return { kind: "wait", reason: "no founded cluster answers" };
  const fault = findFault(observation, topology);
  if (fault === undefined) return { kind: "done", reason: "all is well" };
  if (observation.unchangedMs >= settleMs) return fault;
  return { kind: "wait", reason: `seeing whether it mends itself: ${fault.reason}` };
}

type Remedy = Extract<Plan, { kind: "act" }>;

function findFault({ policy }: Observation, topology: Topology): Remedy | undefined {
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  return (
    promoteBetas(topology) ??
    remedy("introducing nodes that do not know each other as they are", introduce(known), {
      isNeeded: findGaps(known).length > 0,
    }) ??
    forget(topology) ??
    adopt(topology) ??
    remedy("setting a short node timeout back", restoreNodeTimeouts(policy, known))
  );
}

function promoteBetas(topology: Topology): Remedy | undefined {
  const headless = topology.shards.filter(({ alpha }) => alpha === undefined);
  const steps = headless.flatMap((shard) => promoteForGoneAlpha(topology, shard));
  const names = steps.map(({ at }) => at.name).join(", ");
  return remedy(`promoting ${names}: the alpha is gone from its address`, steps, {
    report: "Promoted",
  });
}

function forget(topology: Topology): Remedy | undefined {
  const { steps, ghosts } = ghostSteps(topology);
  const names = ghosts.map((id) => nameOf(topology, id)).join(", ");
  return remedy(`forgetting ${names}: failed, without slots and betas`, steps, {
    report: "Forgot",
  });
}

function adopt(topology: Topology): Remedy | undefined {
  const idle = topology.members.filter((member) => isIdle(topology, member));
  const names = idle.map(({ name }) => name).join(", ");
  return remedy(`${names} has no slots and no alpha: made a beta`, adoptSteps(topology, idle, []));
}

function remedy(
  reason: string,
  steps: Remedy["steps"],
  more: { isNeeded?: boolean; report?: Remedy["report"] } = {},
): Remedy | undefined {
  const { isNeeded = true, report } = more;
  if (steps.length === 0 || !isNeeded) return undefined;
  return { kind: "act", isExclusive: true, reason, steps, ...(report && { report }) };
}
