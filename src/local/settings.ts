/**
 * The settings of `rekindle up`, each described once.
 */
import { RekindleError } from "../errors.ts";
import {
  choice,
  count,
  duration,
  type Flags,
  flagOf,
  onOff,
  optionalCount,
  optionalText,
  readSettings,
  type Settings,
  text,
} from "../settings.ts";

export const upSettingDescriptions = {
  topology: choice(
    "a Redis Cluster, or one alpha with betas under three Sentinels",
    ["cluster", "sentinel"],
    "cluster",
  ),
  nodes: optionalCount(
    "how many nodes, betas included",
    { from: 2, to: 1000 },
    { defaultText: "6, under Sentinel 3" },
  ),
  replicas: count(
    "cluster: how many betas each alpha gets",
    { from: 0, to: 10 },
    { fallback: "1" },
  ),
  backend: choice(
    "real servers as processes on loopback, or the image in containers",
    ["processes", "containers"],
    "processes",
  ),
  detach: onOff("leave it running; `rekindle down` ends it"),
  json: onOff("when it is whole, one JSON document that says where it is"),
  exercise: onOff(
    "kill an alpha, empty its folder, start its replacement, and show how long each step takes",
  ),
  name: text("a name, to have several", { fallback: "default" }),
  port: optionalCount(
    "the first node's port",
    { from: 1, to: 55_535 },
    { defaultText: "the first free ones from 7001 on" },
  ),
  nodeTimeout: duration("cluster: cluster-node-timeout", { from: 100, to: 600_000 }, "5s"),
  downAfter: duration(
    "sentinel: how long the alpha may be silent before a Sentinel calls it down",
    { from: 100, to: 3_600_000 },
    "1s",
  ),
  server: optionalText("the server's executable", {
    defaultText: "redis-server or valkey-server on the PATH",
  }),
  config: optionalText("your own redis.conf for all nodes", {
    defaultText: "loopback only, no snapshots",
  }),
  image: text("containers: the image", { fallback: "rekindle:latest" }),
} as const;

export type UpSettings = Settings<typeof upSettingDescriptions>;
export type Topology = UpSettings["topology"];

/** The values, checked one by one and together. */
export function readUpSettings(flags: Flags, environment: NodeJS.ProcessEnv): UpSettings {
  const settings = readSettings(upSettingDescriptions, flags, environment);
  refuseForeign(settings.topology, flags);
  if (settings.exercise && settings.topology === "cluster" && settings.replicas === 0) {
    throw new RekindleError("usage", "--exercise kills an alpha, and with --replicas 0 its keys", {
      hint: "give each alpha a beta with --replicas 1",
    });
  }
  return settings;
}

/** What would be said in vain. A variable may be meant for another `up`. */
const foreign = {
  cluster: {
    downAfter: "leave it out, or use --node-timeout: a Redis Cluster has no Sentinels",
  },
  sentinel: {
    replicas: "leave it out, or use --nodes: all nodes but the alpha are its betas",
    nodeTimeout: "leave it out, or use --down-after: the Sentinels decide who is down",
  },
} as const;

function refuseForeign(topology: Topology, flags: Flags): void {
  for (const [name, hint] of Object.entries(foreign[topology])) {
    if (flags[name] === undefined) continue;
    throw new RekindleError("usage", `--${flagOf(name)} is not for --topology ${topology}`, {
      hint,
    });
  }
}
