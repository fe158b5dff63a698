/**
 * What a resident healer does for a cluster that runs: what otherwise the next node does on its way in. Pure.
 *
 * It looks from outside and founds nothing. The order: promotions first, then introductions, then ghosts are forgotten, then
 * nodes without an alpha get one, and alphas without a beta. Tables differ for a moment in every failover and every join, so that only what has lasted
 * is acted upon.
 */
import { restoreNodeTimeouts } from "./hasten.ts";
import { forgetAllGhosts, leadBack } from "./plan-healing.ts";
import { introduce } from "./plan-introductions.ts";
import { adoptAllIdle, promoteForGoneAlphas } from "./plan-joining.ts";
import { spreadBetas } from "./spread-betas.ts";
import { readTopology, type Topology } from "./topology.ts";
import type { Act, Observation, Plan, Step } from "./types.ts";

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

/** What is to be done first, under the lock. */
function findFault({ policy }: Observation, topology: Topology): Act | undefined {
  const known = topology.members.filter((member) => !topology.blanks.includes(member));
  const remedies = [
    promoteForGoneAlphas(topology),
    act("introducing nodes that do not know each other as they are", introduce(known)),
    act("leading betas that copy nobody to their alphas", leadBack(topology)),
    forgetAllGhosts(topology),
    adoptAllIdle(topology, []),
    spreadBetas(topology),
    act("setting a short node timeout back", restoreNodeTimeouts(policy, known)),
  ];
  const first = remedies.find((remedy) => remedy !== undefined && remedy.steps.length > 0);
  return first && { ...first, isExclusive: true };
}

const act = (reason: string, steps: readonly Step[]): Act => ({ kind: "act", reason, steps });
