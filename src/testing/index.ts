/**
 * `rekindle/testing`: a Redis Cluster, or a set under Sentinel, for your own tests, and the means to break it.
 */
export {
  type ClusterOptions,
  RedisClusterContainer,
  RedisClusterProcesses,
} from "./cluster-builders.ts";
export type {
  Breakable,
  HealthyOptions,
  NatMap,
  RedisNode,
  RestartOptions,
  RoleHolder,
} from "./controls.ts";
export type { HostPort } from "./ground.ts";
export {
  RedisSentinelContainer,
  RedisSentinelProcesses,
  type SentinelOptions,
} from "./sentinel-builders.ts";
export type { StartedRedisCluster } from "./started-cluster.ts";
export type { StartedRedisSentinel } from "./started-sentinel.ts";
