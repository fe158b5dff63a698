/**
 * A cluster's status as text for a terminal of a given width. Pure.
 */
import { countSlots } from "../cluster/nodes.ts";
import { describeSlots } from "../cluster/plan-joining.ts";
import type { Status, StatusNode, StatusShard } from "./describe-status.ts";

export interface RenderOptions {
  /** Columns of the terminal. */
  readonly width: number;
  readonly colours: boolean;
}

type Paint = (colour: Colour, text: string) => string;
type Colour = keyof typeof codes;

const codes = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36" } as const;

const cardWidth = 36;
const gap = "  ";

/** @returns lines without a newline at the end. */
export function renderStatus(status: Status, { width, colours }: RenderOptions): string {
  const paint: Paint = (colour, text) => (colours ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text);
  const columns = Math.max(1, Math.floor((width + gap.length) / (cardWidth + gap.length)));
  const cards = status.shards.map((shard, index) => renderShard(shard, index + 1, paint));
  const rows: string[] = [];
  for (let at = 0; at < cards.length; at += columns) {
    rows.push(...besideEachOther(cards.slice(at, at + columns)), "");
  }
  return [renderHeader(status, paint), "", ...rows, ...renderProblems(status, width, paint)]
    .join("\n")
    .trimEnd();
}

const headlines: Readonly<Record<Status["state"], { colour: Colour; word: string }>> = {
  whole: { colour: "green", word: "whole" },
  degraded: { colour: "yellow", word: "serving, with problems" },
  down: { colour: "red", word: "not serving all slots" },
  unreachable: { colour: "red", word: "nobody answers" },
};

function renderHeader(status: Status, paint: Paint): string {
  const { colour, word } = headlines[status.state];
  if (status.state === "unreachable") return paint(colour, `● ${word}`);
  const facts = [
    `${status.shards.length} shards`,
    `${status.nodes} nodes`,
    `${status.slotsServed} of 16384 slots`,
    `epoch ${status.epoch}`,
  ];
  return `${paint(colour, `● ${word}`)}  ${paint("dim", facts.join(" · "))}`;
}

interface Cell {
  /** Without colours, for its length. */
  readonly plain: string;
  readonly painted: string;
}

function renderShard(shard: StatusShard, number: number, paint: Paint): readonly Cell[] {
  const title = `shard ${number}`;
  const slots = `${describeSlots(shard.slots.slice(0, 2))}${shard.slots.length > 2 ? ",…" : ""} (${countSlots(shard.slots)})`;
  const room = cardWidth - title.length - slots.length - 6;
  const rule = "─".repeat(Math.max(1, room));
  const head = {
    plain: `┌ ${title} ${rule} ${slots} ┐`,
    painted: `${paint("dim", "┌")} ${paint("bold", title)} ${paint("dim", rule)} ${paint("cyan", slots)} ${paint("dim", "┐")}`,
  };
  const foot = `└${"─".repeat(cardWidth - 2)}┘`;
  return [
    head,
    ...[shard.alpha, ...shard.betas].map((node) => renderNode(node, paint)),
    { plain: foot, painted: paint("dim", foot) },
  ];
}

const nodeColours: Readonly<Record<StatusNode["state"], Colour>> = {
  ok: "green",
  syncing: "yellow",
  "link down": "red",
  "not ok": "yellow",
  silent: "red",
};

function renderNode(node: StatusNode, paint: Paint): Cell {
  const sign = node.role === "alpha" ? "α" : "β";
  const said = factsOf(node);
  const inner = cardWidth - 4;
  const name = fit(`${sign} ${node.name}`, inner - said.length - 3);
  const colour = nodeColours[node.state];
  const space = " ".repeat(Math.max(1, inner - name.length - said.length - 2));
  const edge = paint("dim", "│");
  return {
    plain: `│ ${name}${space}● ${said} │`,
    painted: `${edge} ${node.role === "alpha" ? paint("bold", name) : name}${space}${paint(colour, "●")} ${node.state === "ok" ? said : paint(colour, said)} ${edge}`,
  };
}

function factsOf(node: StatusNode): string {
  if (node.state !== "ok") return node.state;
  if (node.role === "alpha")
    return `${node.keys.toLocaleString("en")} ${node.keys === 1 ? "key" : "keys"}`;
  return node.lagBytes === undefined || node.lagBytes === 0
    ? "in sync"
    : `${shortBytes(node.lagBytes)} behind`;
}

function shortBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 1_048_576
    ? `${Math.round(bytes / 1_024)} kB`
    : `${(bytes / 1_048_576).toFixed(1)} MB`;
}

const fit = (text: string, room: number): string =>
  text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`;

function besideEachOther(cards: readonly (readonly Cell[])[]): readonly string[] {
  const height = Math.max(...cards.map((card) => card.length));
  return Array.from({ length: height }, (_, line) =>
    cards
      .map((card) => card[line])
      .map((cell) =>
        cell
          ? cell.painted + " ".repeat(Math.max(0, cardWidth - cell.plain.length))
          : " ".repeat(cardWidth),
      )
      .join(gap)
      .trimEnd(),
  );
}

function renderProblems(status: Status, width: number, paint: Paint): readonly string[] {
  if (status.problems.length === 0) return [];
  const colour = status.state === "down" || status.state === "unreachable" ? "red" : "yellow";
  return status.problems.flatMap((problem) => {
    const lines = wrap(problem, Math.max(20, width - 2));
    return lines.map((line, index) => `${index === 0 ? paint(colour, "!") : " "} ${line}`);
  });
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
