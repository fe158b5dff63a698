/**
 * One line a shard, for more shards than a window has room for. Pure.
 */
import { countSlots, describeSlots } from "../cluster/nodes.ts";
import { formatCount } from "../words.ts";
import { conditionOf } from "./cards.ts";
import type { StatusNode, StatusShard } from "./describe-status.ts";
import { clip, type Paint, pad, widthOf } from "./paint.ts";

const heads = ["shard", "slots", "", "keys", "alpha", "betas"] as const;
/** Columns of numbers. */
const rightBound: ReadonlySet<number> = new Set([0, 2, 3]);

export function renderRows(
  shards: readonly StatusShard[],
  width: number,
  paint: Paint,
): readonly string[] {
  const rows = shards.map((shard, index) => cellsOf(shard, index + 1));
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => widthOf(row[column] ?? ""))),
  );
  const line = (cells: readonly string[]) => {
    const aligned = cells.map((cell, column) => {
      const room = widths[column] ?? 0;
      return rightBound.has(column) ? cell.padStart(room) : pad(cell, room);
    });
    return clip(aligned.join("  ").trimEnd(), width - 2);
  };
  return [
    "",
    ` ${paint.dim(line(heads))}`,
    ...shards.map((shard, index) => ` ${dyeOf(shard, paint)(line(rows[index] ?? []))}`),
  ];
}

function cellsOf(shard: StatusShard, number: number): readonly string[] {
  return [
    `${number}`,
    describeSlots(shard.slots.slice(0, 1)) + (shard.slots.length > 1 ? ",…" : ""),
    formatCount(countSlots(shard.slots)),
    shard.alpha.answers ? formatCount(shard.alpha.keys) : "?",
    markName(shard.alpha),
    shard.betas.map(markName).join("  "),
  ];
}

function markName(node: StatusNode): string {
  const isPlain = node.state === "ok" && (node.role === "alpha" || !node.lagBytes);
  return `${node.state === "ok" ? "●" : "✗"} ${node.name}${isPlain ? "" : ` ${conditionOf(node)}`}`;
}

function dyeOf(shard: StatusShard, paint: Paint): (text: string) => string {
  if (!shard.alpha.answers) return paint.red;
  const isWell = [shard.alpha, ...shard.betas].every((node) => node.state === "ok");
  return isWell ? (text) => text : paint.yellow;
}
