/**
 * `rekindle/testing`: a local cluster for your own tests.
 */

export type { Status, StatusNode, StatusShard } from "../status/describe-status.ts";
export type { LocalCluster, LocalNode, WaitOptions } from "./local-cluster.ts";
export { type LocalClusterOptions, startLocalCluster } from "./start.ts";
