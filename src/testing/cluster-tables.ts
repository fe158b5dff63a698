/**
 * The nodes.conf that a node of a test's cluster starts with. Pure.
 *
 * Redis holds a master that has just started back for two seconds, so that it does not take writes before it has
 * heard of a newer one
 * (`clusterUpdateState`). So none starts as one. Each that is to be an alpha starts as the beta of a stand-in that
 * owns its slots and does not exist, and
 * takes over from it; that is a matter of milliseconds. A node that replaces another does just the same: its stand-
 * in is whom it replaces.
 */
import {
  type NodeEntry,
  type NodeTable,
  renderNodesConf,
  type SlotRange,
} from "../cluster/nodes.ts";

export interface Seat {
  readonly id: string;
  /** Of an alpha; a beta has none. */
  readonly slots: readonly SlotRange[];
  /** The alpha's id, for a beta. */
  readonly alphaId: string | undefined;
}

/**
 * @param alphas who has slots, in the order of their epochs.
 * @param standIn the id of whoever is to be taken over from.
 */
export function renderFoundingTable(own: Seat, seats: readonly Seat[], standIn: string): string {
  const alphas = seats.filter((seat) => seat.alphaId === undefined);
  const rank = alphas.indexOf(own);
  const others = seats.filter((seat) => seat !== own);
  const nodes = [
    {
      ...entryOf({ ...own, slots: [], alphaId: own.alphaId ?? standIn }, 0),
      flags: ["myself", "slave"],
    },
    ...(rank < 0 ? [] : [entryOf({ ...own, id: standIn }, 0)]),
    ...others.map((seat) => entryOf(seat, alphas.indexOf(seat) + 1)),
  ];
  // Each takes over with the next epoch, and no two with the same.
  return render(nodes, alphas.length + Math.max(rank, 0));
}

/** @param table as one of the others has it; `alphaId` whose beta the new node is. */
export function renderReplacingTable(id: string, alphaId: string, table: NodeTable): string {
  const others = table.nodes.map((node) => ({
    ...node,
    address: undefined,
    hostname: "",
    flags: [node.flags.includes("master") ? "master" : "slave"],
    migrations: [],
  }));
  const myself = { ...entryOf({ id, slots: [], alphaId }, 0), flags: ["myself", "slave"] };
  return render([myself, ...others], Math.max(...table.nodes.map(({ epoch }) => epoch)));
}

/** Where they are, introductions tell. */
function entryOf({ id, slots, alphaId }: Seat, epoch: number): NodeEntry {
  return {
    id,
    address: undefined,
    hostname: "",
    flags: [alphaId === undefined ? "master" : "slave"],
    alphaId,
    epoch: alphaId === undefined ? epoch : 0,
    linkUp: true,
    heardAt: 0,
    slots,
    migrations: [],
  };
}

const render = (nodes: readonly NodeEntry[], currentEpoch: number): string =>
  renderNodesConf({ nodes, currentEpoch, lastVoteEpoch: 0 });
