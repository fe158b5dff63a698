/**
 * The library: the pure parts, for those who want to decide or to read node tables in their own programs.
 */
export {
  type NodeEntry,
  type NodeTable,
  parseNodes,
  renderNodesConf,
  type SlotRange,
} from "./cluster/nodes.ts";
export { plan } from "./cluster/plan.ts";
export type { Answer, Observation, PeerView, Plan, Policy, Self, Step } from "./cluster/types.ts";
export { exitCodes, RekindleError } from "./errors.ts";
