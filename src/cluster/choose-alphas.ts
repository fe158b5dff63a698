/**
 * Which alpha a node without one should copy.
 */
import type { PodFacts } from "../discovery/discovery.ts";
import { isTogether } from "./match-betas.ts";
import type { Shard } from "./shards.ts";
import { canComeBack, isGoneOrFailed, isLeaving, type Topology } from "./topology.ts";
import type { Member } from "./types.ts";

export interface Newcomer {
  readonly name: string;
  readonly pod?: PodFacts | undefined;
}

/** What counts of a shard: the nodes in it that are there to stay, newcomers included. */
interface Crew {
  readonly alpha: Member;
  /** How many stay. */
  size: number;
  /** How many of them are of each pod template. */
  readonly templates: Map<string, number>;
}

/**
 * Rule 7: every newcomer gets an alpha: a shard with one node left first, then one whose alpha runs on another machine, then
 * those with the fewest nodes; in a rolling update, the fewest of the newcomer's own template, since the others will leave.
 * All newcomers compute the same list, so that two who join at once pick different alphas.
 */
export function chooseAlphas(
  topology: Topology,
  newcomers: readonly Newcomer[],
): ReadonlyMap<string, string> {
  const crews = topology.shards.flatMap((shard) => crewOf(topology, shard));
  const choices = new Map<string, string>();
  for (const { name, pod } of newcomers) {
    const [chosen] = crews
      .map((crew) => ({ crew, rank: rank(crew, pod) }))
      .sort((a, b) => compareRanks(a.rank, b.rank));
    if (chosen === undefined) break;
    choices.set(name, chosen.crew.alpha.seen.id);
    count(chosen.crew, pod);
  }
  return choices;
}

function crewOf(topology: Topology, shard: Shard): readonly Crew[] {
  const { alpha, betas } = shard;
  if (alpha === undefined) return [];
  const crew: Crew = { alpha, size: countAbsent(topology, shard), templates: new Map() };
  for (const member of [alpha, ...betas]) if (!isLeaving(member)) count(crew, member.pod);
  return [crew];
}

function count(crew: Crew, pod: PodFacts | undefined): void {
  crew.size++;
  if (pod) crew.templates.set(pod.template, (crew.templates.get(pod.template) ?? 0) + 1);
}

/** The lower the better, the first number that differs decides. */
function rank({ alpha, size, templates }: Crew, pod: PodFacts | undefined): readonly number[] {
  const isNear = isTogether(alpha.pod?.kubernetesNode, pod?.kubernetesNode);
  const mates = pod === undefined ? 0 : (templates.get(pod.template) ?? 0);
  return [Math.min(size, 2), isNear ? 1 : 0, mates, size];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index < 0 ? 0 : (a[index] ?? 0) - (b[index] ?? 0);
}

/** Betas that answer and stay, and those that may come back. */
export function countBetas(topology: Topology, shard: Shard): number {
  return shard.betas.filter((beta) => !isLeaving(beta)).length + countAbsent(topology, shard);
}

function countAbsent(topology: Topology, shard: Shard): number {
  return shard.absentBetas.filter(
    (id) => canComeBack(topology, id) || !isGoneOrFailed(topology, id),
  ).length;
}
