/**
 * Shards side by side, each a small block of lines: its slots, its alpha, its betas, and how they are. Pure.
 */
import { countSlots, describeSlots } from "../cluster/nodes.ts";
import { formatBytes, formatCount } from "../words.ts";
import type { StatusNode, StatusShard } from "./describe-status.ts";
import { clip, type Paint, pad, spread, widthOf } from "./paint.ts";

const gap = "  ";
/** Wider than this, the two ends of a line no longer look like one. */
const widest = 36;
const narrowest = 24;

/** As many columns as fit, wide enough for the longest name, and the rows evenly filled. */
export function renderCards(
  shards: readonly StatusShard[],
  width: number,
  paint: Paint,
): readonly string[] {
  if (shards.length === 0) return [];
  const room = width - 1;
  const needed = Math.max(narrowest, ...shards.flatMap(nodesOf).map(leastWidth));
  const fitting = Math.max(1, Math.floor((room + gap.length) / (needed + gap.length)));
  const rows = Math.ceil(shards.length / fitting);
  const columns = Math.ceil(shards.length / rows);
  const even = Math.floor((room + gap.length) / columns) - gap.length;
  const cell = Math.min(even, Math.max(needed, widest));
  return Array.from({ length: rows }, (_, row) => {
    const cards = shards
      .slice(row * columns, (row + 1) * columns)
      .map((shard, index) => renderCard(shard, row * columns + index + 1, cell, paint));
    return ["", ...besideEachOther(cards, cell)];
  }).flat();
}

function besideEachOther(cards: readonly (readonly string[])[], cell: number): readonly string[] {
  const height = Math.max(...cards.map((card) => card.length));
  return Array.from({ length: height }, (_, line) =>
    ` ${cards.map((card) => pad(card[line] ?? "", cell)).join(gap)}`.trimEnd(),
  );
}

const nodesOf = ({ alpha, betas }: StatusShard): readonly StatusNode[] => [alpha, ...betas];

const roleWidth = "● alpha ".length;

const leastWidth = ({ name, address }: StatusNode): number =>
  Math.max(roleWidth + widthOf(name), 2 + widthOf(address));

function renderCard(
  shard: StatusShard,
  number: number,
  width: number,
  paint: Paint,
): readonly string[] {
  const title = `shard ${number}`;
  const epoch = `epoch ${shard.epoch}`;
  const rule = "─".repeat(Math.max(1, width - title.length - epoch.length - 2));
  const total = formatCount(countSlots(shard.slots));
  const shown = describeSlots(shard.slots.slice(0, 2)) + (shard.slots.length > 2 ? ",…" : "");
  return [
    `${paint.bold(title)} ${paint.dim(`${rule} ${epoch}`)}`,
    paint.dim(spread(clip(`slots ${shown}`, width - total.length - 1), total, width)),
    "",
    ...nodesOf(shard).flatMap((node) => [
      ...renderNode(node, width, paint),
      ...renderPlace(node, width).map(paint.dim),
    ]),
  ];
}

/** The name and how the node is, on one line where both fit; the address where the name does not tell it. */
export function renderNode(node: StatusNode, width: number, paint: Paint): readonly string[] {
  const dyed = { ok: paint.green, syncing: paint.yellow, "not ok": paint.yellow };
  const dye = node.state in dyed ? dyed[node.state as keyof typeof dyed] : paint.red;
  const sign = node.state === "ok" ? "●" : node.state === "syncing" ? "◐" : "✗";
  const name = clip(node.name, width - roleWidth);
  const first = `${dye(sign)} ${paint.dim(node.role.padEnd(5))} ${node.role === "alpha" ? paint.bold(name) : name}`;
  const condition = conditionOf(node);
  const painted = node.state === "ok" ? paint.dim(condition) : dye(condition);
  const address = node.address === node.name ? "" : paint.dim(clip(node.address, width - 2));
  if (roleWidth + widthOf(name) + 1 + condition.length <= width) {
    return [spread(first, painted, width), ...(address === "" ? [] : [`  ${address}`])];
  }
  const fitsBeside = address !== "" && widthOf(address) + condition.length + 3 <= width;
  if (fitsBeside) return [first, spread(`  ${address}`, painted, width)];
  return [first, ...(address === "" ? [] : [`  ${address}`]), `  ${painted}`];
}

/** On Kubernetes: where it runs, and from which template it was made. */
export function renderPlace(
  { kubernetesNode, template }: StatusNode,
  width: number,
): readonly string[] {
  if (kubernetesNode === undefined) return [];
  return [clip(`  on ${kubernetesNode}, ${template}`, width)];
}

export function conditionOf(node: StatusNode): string {
  if (node.state === "silent") return "no answer";
  if (node.state === "link down") return "no link";
  if (node.state !== "ok") return node.state;
  if (node.role === "alpha") return `${formatCount(node.keys)} ${node.keys === 1 ? "key" : "keys"}`;
  return node.lagBytes === undefined || node.lagBytes === 0
    ? "in sync"
    : `${formatBytes(node.lagBytes)} behind`;
}
