/**
 * `rekindle/testing`: a local cluster, or a set under Sentinel, for your own tests.
 */

export type { SentinelStatus, SetStatus } from "../status/describe-set.ts";
export type { Status, StatusNode, StatusShard } from "../status/describe-status.ts";
export {
  type LocalCluster,
  type LocalClusterOptions,
  startLocalCluster,
} from "./local-cluster.ts";
export type { LocalNode, WaitOptions } from "./local-servers.ts";
export { type LocalSet, type LocalSetOptions, startLocalSet } from "./local-set.ts";
