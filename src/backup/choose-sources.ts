/**
 * From which servers a snapshot is taken. Pure.
 *
 * Every shard's data comes from a beta that is in sync, so that the alpha has no work with it; where there is none, from the alpha.
 * In a cluster what the alphas say of themselves counts: together all slots, each once, and none on its way to another.
 */
import { type Address, compareNames } from "../address.ts";
import {
  countSlots,
  describeSlots,
  myselfOf,
  type SlotRange,
  slotCount,
} from "../cluster/nodes.ts";
import type { Answer, PeerView as ClusterPeer } from "../cluster/types.ts";
import type { PeerView as SetPeer } from "../replication/types.ts";

export interface Source {
  readonly name: string;
  readonly address: Address;
  readonly role: "alpha" | "beta";
  /** As CLUSTER NODES has them; none where there is no cluster. */
  readonly slots: readonly string[];
}

export type Choice =
  | { readonly kind: "sources"; readonly sources: readonly Source[] }
  /** Not now, for the reason given. */
  | { readonly kind: "none"; readonly reason: string };

const none = (reason: string): Choice => ({ kind: "none", reason });

export function chooseInSet(peers: readonly SetPeer[]): Choice {
  const servers = peers.flatMap(({ name, address, seen }) =>
    seen.state === "server" && address ? [{ name, address, seen }] : [],
  );
  const alphas = servers.filter(({ seen }) => seen.role === "alpha");
  const betas = servers.filter(({ seen }) => seen.inSync);
  if (alphas.length > 1)
    return none(`there are two alphas: ${alphas.map(({ name }) => name).join(" and ")}`);
  // A beta in sync has an alpha, also where we cannot reach that one.
  const [source] = betas.length > 0 ? newestFirst(betas) : alphas;
  if (source === undefined) return none(`no alpha and no beta in sync answers${sayWhy(peers)}`);
  const { name, address, seen } = source;
  return { kind: "sources", sources: [{ name, address, role: seen.role, slots: [] }] };
}

interface ClusterNode {
  readonly name: string;
  readonly address: Address;
  readonly seen: Answer;
}

export function chooseInCluster(peers: readonly ClusterPeer[]): Choice {
  const nodes = peers.flatMap(({ name, address, seen }): ClusterNode[] =>
    seen.state === "answered" && address ? [{ name, address, seen }] : [],
  );
  const alphas = nodes
    .map((node) => ({ ...node, own: myselfOf(node.seen.table) }))
    .filter(({ own }) => (own?.slots.length ?? 0) > 0)
    .sort((a, b) => (a.own?.slots[0]?.[0] ?? 0) - (b.own?.slots[0]?.[0] ?? 0));
  const moving = alphas.find(({ own }) => (own?.migrations.length ?? 0) > 0);
  if (moving) return none(`slots of ${moving.name} are on their way to another node`);
  const covered = alphas.reduce((sum, { own }) => sum + countSlots(own?.slots ?? []), 0);
  if (covered !== slotCount)
    return none(`${covered} of ${slotCount} slots have an alpha that answers${sayWhy(peers)}`);
  const sources = alphas.map(({ own, ...alpha }): Source => {
    const betas = nodes.filter(
      ({ seen }) => seen.inSync && myselfOf(seen.table)?.alphaId === alpha.seen.id,
    );
    const { name, address, seen } = newestFirst(betas)[0] ?? alpha;
    return { name, address, role: seen.role, slots: (own?.slots ?? []).map(nameRange) };
  });
  return { kind: "sources", sources };
}

const nameRange = (range: SlotRange): string => describeSlots([range]);

/** Who has most of the stream; of equals always the same one. */
const newestFirst = <
  T extends { readonly name: string; readonly seen: { readonly offset: number } },
>(
  nodes: readonly T[],
): readonly T[] =>
  [...nodes].sort((a, b) => b.seen.offset - a.seen.offset || compareNames(a.name, b.name));

function sayWhy(peers: readonly (ClusterPeer | SetPeer)[]): string {
  const [first] = peers.flatMap(({ name, seen }) =>
    "why" in seen ? [`${name}: ${seen.why}`] : [],
  );
  return first === undefined ? "" : ` (${first})`;
}

type Slotted = Pick<Source, "slots">;

/** Whether the same slots lie together: a failover in between changes no data's place. */
export const haveSameSlots = (a: readonly Slotted[], b: readonly Slotted[]): boolean =>
  describeTable(a) === describeTable(b);

const describeTable = (sources: readonly Slotted[]): string =>
  sources
    .map(({ slots }) => slots.join(","))
    .sort()
    .join(" ");
