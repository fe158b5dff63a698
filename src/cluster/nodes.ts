/**
 * The node table of a Redis Cluster: parse and print `CLUSTER NODES` and nodes.conf.
 *
 * Both have one line per node (Redis documentation of CLUSTER NODES; `clusterLoadConfig` in cluster_legacy.c reads
 * the file): `id ip:port@busport[,hostname[,name=value]…] flags master ping pong epoch link slot…`.
 */
import { isIP } from "node:net";
import type { Address } from "../address.ts";

/** First and last slot, both included. */
export type SlotRange = readonly [first: number, last: number];

export const slotCount = 16_384;

export interface NodeEntry {
  readonly id: string;
  /** Undefined where the table knows no address (`noaddr`, or the node itself before it heard its own). */
  readonly address: Address | undefined;
  readonly hostname: string;
  readonly flags: readonly string[];
  /** The id of the alpha that this beta copies. */
  readonly alphaId: string | undefined;
  readonly epoch: number;
  readonly linkUp: boolean;
  /**
   * When it last answered on the bus, in milliseconds since 1970 by the clock of the table's owner; zero where it never did.
   */
  readonly heardAt: number;
  readonly slots: readonly SlotRange[];
  /** Slots on the move, as Redis writes them: `[93->-id]`, `[77-<-id]`. */
  readonly migrations: readonly string[];
}

export interface NodeTable {
  readonly nodes: readonly NodeEntry[];
  /** Zero where the text is a reply of CLUSTER NODES, which does not tell. */
  readonly currentEpoch: number;
  readonly lastVoteEpoch: number;
}

export const isAlpha = (node: NodeEntry): boolean => node.flags.includes("master");
export const isMyself = (node: NodeEntry): boolean => node.flags.includes("myself");
export const isFailed = (node: NodeEntry): boolean => node.flags.includes("fail");
export const countSlots = (ranges: readonly SlotRange[]): number =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** `0-5460,7000`, as CLUSTER NODES has them; of many ranges the first five and the count. */
export function describeSlots(ranges: readonly SlotRange[]): string {
  const shown = ranges
    .slice(0, 5)
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return ranges.length > 5
    ? `${shown.join(",")},… (${countSlots(ranges)} in all)`
    : shown.join(",");
}

/** The entry of the node that the table belongs to. */
export const myselfOf = (table: NodeTable): NodeEntry | undefined => table.nodes.find(isMyself);

/**
 * Reads the whole text. Nodes in handshake are left out: their ids are random and about to change.
 *
 * @throws Error naming the first line that is no node table line.
 */
export function parseNodes(text: string): NodeTable {
  const nodes: NodeEntry[] = [];
  let [currentEpoch, lastVoteEpoch] = [0, 0];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(" ");
    if (fields[0] === "") continue;
    if (fields[0] === "vars") {
      currentEpoch = wholeOr(fields[fields.indexOf("currentEpoch") + 1], line);
      lastVoteEpoch = wholeOr(fields[fields.indexOf("lastVoteEpoch") + 1], line);
      continue;
    }
    const node = parseLine(fields, line);
    if (!node.flags.includes("handshake")) nodes.push(node);
  }
  return { nodes, currentEpoch, lastVoteEpoch };
}

function parseLine(fields: readonly string[], line: string): NodeEntry {
  const [id = "", place = "", flags = "", alpha = "", , pong, epoch, link, ...slots] = fields;
  if (!/^[0-9a-f]{40}$/.test(id) || fields.length < 8 || !/^(-|[0-9a-f]{40})$/.test(alpha)) {
    throw new Error(`not a line of a node table: "${line.slice(0, 80)}"`);
  }
  const [at = "", hostname = ""] = place.split(",");
  return {
    id,
    address: parsePlace(at, line),
    hostname,
    flags: flags.split(","),
    alphaId: alpha === "-" ? undefined : alpha,
    epoch: wholeOr(epoch, line),
    linkUp: link === "connected",
    heardAt: wholeOr(pong, line),
    slots: slots.filter((slot) => !slot.startsWith("[")).map((slot) => parseRange(slot, line)),
    migrations: slots.filter((slot) => slot.startsWith("[")),
  };
}

function parsePlace(place: string, line: string): Address | undefined {
  const match = /^(.*):(\d+)(?:@(\d+))?$/.exec(place);
  if (!match) throw new Error(`no address in the node table line "${line.slice(0, 80)}"`);
  const [, ip = "", port] = match;
  if (isIP(ip) === 0 || port === "0") return undefined;
  return {
    ip,
    port: Number(port),
    busPort: match[3] === undefined ? Number(port) + 10_000 : Number(match[3]),
  };
}

function parseRange(slot: string, line: string): SlotRange {
  const match = /^(\d+)(?:-(\d+))?$/.exec(slot);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!match || first > last || last >= slotCount) {
    throw new Error(`"${slot}" is no slot range in the node table line "${line.slice(0, 80)}"`);
  }
  return [first, last];
}

function wholeOr(text: string | undefined, line: string): number {
  if (text === undefined || !/^\d+$/.test(text)) {
    throw new Error(`a number is missing in the node table line "${line.slice(0, 80)}"`);
  }
  return Number(text);
}

/**
 * Written where no address is known. Nobody can listen on port 0, a server's attempts to connect fail at once, and the first
 * message of the node itself brings its address. The flag `noaddr` would do the same up to Valkey 8.0 and Redis 8; Valkey 8.1
 * takes it for `fail`, which it takes back only after two node timeouts where the node owns slots (`clusterLoadConfig`).
 */
const nowhere = "0.0.0.0:0@0";

/**
 * The text of a nodes.conf.
 *
 * `shard-id` and the other named values are never written: recent Valkey takes a replica whose shard id does not match
 * for a stranger and refuses it votes; without one, the server makes and spreads its own.
 */
export function renderNodesConf(table: NodeTable): string {
  const lines = table.nodes.map((node) => {
    const place = node.address
      ? `${node.address.ip}:${node.address.port}@${node.address.busPort}`
      : nowhere;
    const slots = node.slots.map(([first, last]) =>
      first === last ? `${first}` : `${first}-${last}`,
    );
    return [
      node.id,
      node.hostname === "" ? place : `${place},${node.hostname}`,
      node.flags.join(","),
      node.alphaId ?? "-",
      "0 0",
      node.epoch,
      "connected",
      ...slots,
      ...node.migrations,
    ].join(" ");
  });
  return `${lines.join("\n")}\nvars currentEpoch ${table.currentEpoch} lastVoteEpoch ${table.lastVoteEpoch}\n`;
}
