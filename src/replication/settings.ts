/**
 * The settings of `rekindle replication`, each described once.
 */
import { isIP } from "node:net";
import { parseEndpoint } from "../address.ts";
import {
  accessDescriptions,
  checkDiscovery,
  checkTls,
  clusterSettingDescriptions,
} from "../cluster/settings.ts";
import { kubernetesSettingDescriptions } from "../kubernetes/settings.ts";
import { checkRestore, restoreSettingDescriptions } from "../restore/settings.ts";
import {
  count,
  duration,
  type Flags,
  list,
  optionalCount,
  optionalText,
  readSettings,
  type Setting,
  type Settings,
  text,
} from "../settings.ts";

const shared = clusterSettingDescriptions;

/** Where the Sentinels are, and under which name they know the alpha. */
export const sentinelDescriptions = {
  set: text("the name under which Sentinel knows the alpha", { fallback: "mymaster" }),
  sentinels: list("all Sentinels as host:port, separated by commas", {
    defaultText: "one beside each peer, at --sentinel-port",
  }),
  sentinelDns: optionalText("a name that resolves to every Sentinel's address"),
  sentinelPort: count("the port of the Sentinels", { from: 1, to: 65_535 }, { fallback: "26379" }),
} as const;

/** How peers are found, by every verb of this topology. */
export const peerDescriptions = {
  discovery: shared.discovery,
  peers: list("discovery fixed: all nodes, this one too, as host:port, separated by commas"),
  dns: shared.dns,
  address: shared.address,
  port: shared.port,
  ipFamily: shared.ipFamily,
  ...kubernetesSettingDescriptions,
} as const;

/** A label's key, as Kubernetes takes it (its documentation, "Labels and Selectors": Syntax and character set). */
const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;

export const roleLabel: Setting<string | undefined> = {
  describe:
    "discovery kubernetes: a pod label that is kept at alpha or beta, for Services to select by; needs the right to patch pods",
  read(value) {
    if (labelKey.test(value)) return value;
    throw new Error("expected a label's name such as redis-role");
  },
};

export const announceHostname: Setting<string | undefined> = {
  describe:
    "a name that resolves to this one at whatever address, for Sentinels, nodes and clients to know it by; Redis 6.2.7 or later",
  defaultText: "its address",
  read(value) {
    const name = value.toLowerCase();
    // Sentinels tell each other of names between commas.
    if (/^(?=.{1,253}$)[a-z0-9_]([-a-z0-9_.]*[a-z0-9_.])?$/.test(name) && isIP(name) === 0)
      return name;
    throw new Error("expected a name such as redis-0.redis.shop.svc, without a port");
  },
};

export const replicationSettingDescriptions = {
  nodes: count(
    "how many nodes there are, the alpha included; a majority must be there to know whose data is newest",
    { from: 1, to: 100 },
    { fallback: "3" },
  ),
  ...sentinelDescriptions,
  ...peerDescriptions,
  announceHostname,
  roleLabel,
  disruptionBudget: shared.disruptionBudget,
  minReplicasToWrite: optionalCount(
    "min-replicas-to-write: the alpha refuses writes while fewer betas follow it closely; bounds what a cut-off alpha can lose",
    { from: 0, to: 100 },
    { defaultText: "what your redis.conf says" },
  ),
  dir: shared.dir,
  config: shared.config,
  server: shared.server,
  peerWait: duration(
    "how long nothing may change among the peers before a node stops waiting for silent ones",
    { from: 0, to: 3_600_000 },
    "10s",
  ),
  ...restoreSettingDescriptions,
  ...accessDescriptions,
} as const;

export type ReplicationSettings = Settings<typeof replicationSettingDescriptions>;

/** The values, checked one by one and together. */
export function readReplicationSettings(
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): ReplicationSettings {
  const settings = readSettings(replicationSettingDescriptions, flags, environment);
  checkDiscovery(settings, environment);
  checkTls(settings);
  checkRestore(settings);
  for (const sentinel of settings.sentinels ?? []) parseEndpoint(sentinel, settings.sentinelPort);
  return settings;
}
