/** What a set lacks to be whole, in words: nobody dead is listed, all slots are served once, every beta is in sync. Pure. */
import { countSlots, slotCount } from "../../src/cluster/nodes.ts";
import type { Topology } from "./faults.ts";
import type { View } from "./views.ts";

export interface Shard {
  readonly alpha: string;
  readonly betas: readonly string[];
  readonly firstSlot: number;
}

/** By what the nodes say of themselves, in the order of their slots; of two that claim the same the later epoch counts. */
export function shardsOf(views: readonly View[], topology: Topology): readonly Shard[] {
  const nodes = views.filter(({ role }) => role === "alpha" || role === "beta");
  if (topology === "sentinel") {
    const alphas = nodes.filter(({ role }) => role === "alpha");
    const follows = (one: View) => nodes.filter(({ alpha }) => alpha === one.ip);
    const [alpha] = alphas.sort((a, b) => follows(b).length - follows(a).length);
    if (alpha === undefined) return [];
    const betas = nodes.filter(({ role }) => role === "beta").map(({ name }) => name);
    return [{ alpha: alpha.name, betas: betas.sort(), firstSlot: 0 }];
  }
  const byFirst = new Map<number, View>();
  for (const view of nodes) {
    const first = view.slots[0]?.[0];
    if (view.role !== "alpha" || first === undefined) continue;
    if ((byFirst.get(first)?.epoch ?? -1) < view.epoch) byFirst.set(first, view);
  }
  return [...byFirst]
    .sort(([a], [b]) => a - b)
    .map(([firstSlot, { name, id }]) => ({
      alpha: name,
      betas: nodes
        .filter(({ role, alpha }) => role === "beta" && alpha === id)
        .map((beta) => beta.name)
        .sort(),
      firstSlot,
    }));
}

export function findFlaws(views: readonly View[], topology: Topology): readonly string[] {
  const flaws = views.flatMap((view) =>
    view.state !== "ok"
      ? [`${view.name}: ${view.state}`]
      : view.role === "beta" && !isCopy(view, views)
        ? [`${view.name} is not in sync`]
        : [],
  );
  return [...flaws, ...(topology === "cluster" ? flawsOfCluster(views) : flawsOfSet(views))];
}

/** A link over a way that was cut is up until one of its ends tries it: of another history, it is of another alpha's life. */
function isCopy(beta: View, views: readonly View[]): boolean {
  const alpha = views.find(({ id, ip }) => beta.alpha === id || beta.alpha === ip);
  return beta.isInSync && alpha?.history === beta.history;
}

function flawsOfCluster(views: readonly View[]): readonly string[] {
  const ids = views
    .map(({ id }) => id)
    .sort()
    .join();
  const alphas = views.filter(({ slots }) => slots.length > 0);
  const served = alphas.reduce((sum, { slots }) => sum + countSlots(slots), 0);
  const betas = (id: string) => views.filter(({ role, alpha }) => role === "beta" && alpha === id);
  return [
    ...(served === slotCount ? [] : [`${served} slots are served`]),
    ...(alphas.length === 3 ? [] : [`${alphas.length} alphas have slots`]),
    ...alphas.flatMap(({ name, id }) => (betas(id).length > 0 ? [] : [`${name} has no beta`])),
    ...views.flatMap(({ name, knows, failed }) => [
      ...(knows.join() === ids || knows.length === 0
        ? []
        : [`${name} lists ${knows.length}: ${difference(knows, ids)}`]),
      ...(failed > 0 ? [`${name} lists ${failed} failed`] : []),
    ]),
  ];
}

function difference(knows: readonly string[], ids: string): string {
  const all = ids.split(",");
  const short = (which: readonly string[]) => which.map((id) => id.slice(0, 6)).join(" ");
  const [more, less] = [
    knows.filter((id) => !all.includes(id)),
    all.filter((id) => !knows.includes(id)),
  ];
  return [more.length > 0 && `nobody's ${short(more)}`, less.length > 0 && `not ${short(less)}`]
    .filter(Boolean)
    .join(", ");
}

function flawsOfSet(views: readonly View[]): readonly string[] {
  const nodes = views.filter(({ role }) => role !== "sentinel");
  const alphas = nodes.filter(({ role }) => role === "alpha");
  const [alpha] = alphas;
  if (alpha === undefined || alphas.length > 1) return [`${alphas.length} alphas`];
  return views.flatMap((view) => {
    if (view === alpha || view.state !== "ok") return [];
    if (view.alpha !== alpha.ip) return [`${view.name} follows ${view.alpha || "nobody"}`];
    if (view.role !== "sentinel") return [];
    // Addresses where nobody is any more are forgotten on Kubernetes only, which knows that they are nobody's.
    const knows =
      view.betas >= nodes.length - 1 && view.watchers === views.length - nodes.length - 1;
    return knows ? [] : [`${view.name} knows ${view.betas} betas and ${view.watchers} Sentinels`];
  });
}
