/**
 * The settings of `rekindle cluster`, each described once: help, README and checks are made from this.
 */
import { RekindleError } from "../errors.ts";
import { isInPod } from "../kubernetes/access.ts";
import { kubernetesSettingDescriptions } from "../kubernetes/settings.ts";
import { checkRestore, restoreSettingDescriptions } from "../restore/settings.ts";
import {
  choice,
  count,
  duration,
  type Flags,
  list,
  optionalChoice,
  optionalCount,
  optionalText,
  readSettings,
  type Settings,
  text,
} from "../settings.ts";

/** What lets nodes, Sentinels and clients in, and how what is done is told: the same for every verb that becomes a server. */
export const accessDescriptions = {
  user: optionalText("the ACL user of Rekindle and of replication", {
    defaultText: "the default user",
  }),
  passwordFile: optionalText("a file that holds the password; REKINDLE_PASSWORD gives it directly"),
  tlsCert: optionalText(
    "this node's certificate; turns TLS on for clients, replication and the bus",
  ),
  tlsKey: optionalText("the certificate's key"),
  tlsCa: optionalText("the authorities that sign the nodes' certificates"),
  tlsClients: choice(
    "whether clients must show a certificate",
    ["required", "optional", "no"],
    "required",
  ),
  logLevel: choice("least level that is logged", ["debug", "info", "warn", "error"], "info"),
  logFormat: choice("log lines as JSON or as text", ["auto", "json", "text"], "auto"),
} as const;

export const clusterSettingDescriptions = {
  nodes: count(
    "how many nodes found the cluster, betas included",
    { from: 3, to: 1000 },
    {
      fallback: "6",
      alsoEnvironment: ["REDIS_CLUSTER_COUNT"],
    },
  ),
  replicas: count(
    "how many betas each alpha gets when the cluster is founded",
    { from: 0, to: 10 },
    {
      fallback: "1",
      alsoEnvironment: ["REDIS_CLUSTER_REPLICA"],
    },
  ),
  discovery: optionalChoice("how peers are found", ["fixed", "dns", "kubernetes"], {
    defaultText: "fixed with --peers, dns with --dns, else kubernetes in a pod",
  }),
  peers: list(
    "discovery fixed: all nodes, this one too, as host:port[@busport], separated by commas",
  ),
  dns: optionalText("discovery dns: a name that resolves to every peer's address"),
  address: optionalText("this node's own address, where it cannot be found among the peers", {
    defaultText: "the peer that is an address of this machine",
  }),
  port: count(
    "the port for clients",
    { from: 1, to: 65_535 },
    {
      fallback: "6379",
      alsoEnvironment: ["REDIS_CLUSTER_PORT"],
    },
  ),
  busPort: optionalCount(
    "the cluster bus port; other than port + 10000 needs Redis 7.0",
    { from: 1, to: 65_535 },
    {
      defaultText: "port + 10000",
    },
  ),
  ipFamily: choice("which addresses count where peers have both kinds", ["auto", "4", "6"], "auto"),
  ...kubernetesSettingDescriptions,
  onNewTemplate: choice(
    "discovery kubernetes: pods of a new template join the cluster of the others, or are a fresh one",
    ["join", "fresh"],
    "join",
  ),
  disruptionBudget: optionalCount(
    "discovery kubernetes: how many peers may be evicted at once; makes a PodDisruptionBudget where there is none",
    { from: 1, to: 1000 },
  ),
  dir: text("the data folder", { fallback: "/data" }),
  config: optionalText("your own redis.conf; it is included, never changed"),
  server: optionalText("the server's executable", {
    defaultText: "redis-server or valkey-server on the PATH",
  }),
  nodeTimeout: duration("cluster-node-timeout", { from: 100, to: 600_000 }, "5s"),
  peerWait: duration(
    "how long nothing may change among the peers before a node stops waiting for silent ones",
    { from: 0, to: 3_600_000 },
    "10s",
  ),
  onLostSlots: choice(
    "when an alpha and all its betas are gone for good: wait for one of them, serve their slots empty, or as the newest snapshot has them",
    ["wait", "empty", "restore"],
    "wait",
  ),
  ...restoreSettingDescriptions,
  ...accessDescriptions,
} as const;

export type ClusterSettings = Settings<typeof clusterSettingDescriptions>;

/** The values, checked one by one and together. */
export function readClusterSettings(flags: Flags, environment: NodeJS.ProcessEnv): ClusterSettings {
  const settings = readSettings(clusterSettingDescriptions, flags, environment);
  checkCounts(settings.nodes, settings.replicas);
  checkDiscovery(settings, environment);
  checkTls(settings);
  checkRestore(settings);
  if (settings.onLostSlots === "restore" && settings.restoreFrom === undefined)
    throw new RekindleError("configuration", "lost slots are to be restored, and not from where", {
      hint: "name the store with --restore-from",
    });
  return settings;
}

/**
 * Redis Cluster needs three alphas for a majority that survives a failure, and every shard the same betas.
 */
export function checkCounts(nodes: number, replicas: number): void {
  const shard = replicas + 1;
  if (nodes % shard === 0 && nodes / shard >= 3) return;
  const below = Math.floor(nodes / shard) * shard;
  const fitting = below >= 3 * shard ? `${below} or ${below + shard}` : `${3 * shard}`;
  throw new RekindleError(
    "configuration",
    `${nodes} nodes do not make at least three shards of one alpha and ${replicas} ${replicas === 1 ? "beta" : "betas"} each`,
    { hint: `set --nodes to ${fitting}, or change --replicas` },
  );
}

/** The discovery in force, said or inferred. */
export function discoveryOf(
  { discovery, dns, peers }: Pick<ClusterSettings, "discovery" | "peers" | "dns">,
  environment: NodeJS.ProcessEnv,
): "fixed" | "dns" | "kubernetes" {
  if (discovery !== undefined) return discovery;
  if (dns !== undefined) return "dns";
  return peers === undefined && isInPod(environment) ? "kubernetes" : "fixed";
}

/** @throws RekindleError where peers cannot be found with what is given. */
export function checkDiscovery(
  settings: Pick<ClusterSettings, "discovery" | "peers" | "dns">,
  environment: NodeJS.ProcessEnv,
): void {
  if (
    settings.peers !== undefined &&
    settings.dns !== undefined &&
    settings.discovery === undefined
  ) {
    throw new RekindleError("configuration", "--peers and --dns are both given", {
      hint: "keep one, or say which counts with --discovery",
    });
  }
  const discovery = discoveryOf(settings, environment);
  if (discovery === "fixed" && (settings.peers ?? []).length === 0) {
    throw new RekindleError("configuration", "no peers are given", {
      hint: "name all nodes with --peers host:port,host:port,…, a name that resolves to them with --dns, or start it in a Kubernetes pod",
    });
  }
  if (discovery === "dns" && settings.dns === undefined) {
    throw new RekindleError("configuration", "discovery dns has no name to resolve", {
      hint: "name the headless service or network alias with --dns",
    });
  }
}

/** @throws RekindleError where some of the three files are missing. */
export function checkTls(settings: Pick<ClusterSettings, "tlsCert" | "tlsKey" | "tlsCa">): void {
  const given = {
    "--tls-cert": settings.tlsCert,
    "--tls-key": settings.tlsKey,
    "--tls-ca": settings.tlsCa,
  };
  const missing = Object.entries(given).filter(([, file]) => file === undefined);
  if (missing.length === 0 || missing.length === 3) return;
  throw new RekindleError(
    "configuration",
    `TLS needs ${missing.map(([flag]) => flag).join(" and ")} too`,
    {
      hint: "give the certificate, its key and the authorities, or none of them",
    },
  );
}
