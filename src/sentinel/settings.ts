/**
 * The settings of `rekindle sentinel`, each described once.
 */
import { accessDescriptions, checkDiscovery, checkTls } from "../cluster/settings.ts";
import {
  announceHostname,
  peerDescriptions,
  replicationSettingDescriptions,
  roleLabel,
  sentinelDescriptions,
} from "../replication/settings.ts";
import {
  count,
  duration,
  type Flags,
  optionalCount,
  optionalText,
  readSettings,
  type Settings,
  text,
} from "../settings.ts";

export const sentinelSettingDescriptions = {
  count: count("how many Sentinels there are", { from: 1, to: 100 }, { fallback: "3" }),
  quorum: optionalCount(
    "how many Sentinels must miss the alpha before another is elected",
    { from: 1, to: 100 },
    { defaultText: "the majority" },
  ),
  ...sentinelDescriptions,
  downAfter: duration(
    "how long the alpha may be silent before a Sentinel calls it down",
    { from: 100, to: 3_600_000 },
    "5s",
  ),
  failoverTimeout: duration(
    "how long a failover may take before it is begun anew",
    { from: 1_000, to: 3_600_000 },
    "30s",
  ),
  ...peerDescriptions,
  announceHostname,
  roleLabel,
  dir: text("the folder of its sentinel.conf", { fallback: "/data" }),
  server: optionalText("the server's executable, which is Sentinel too", {
    defaultText: "redis-server or valkey-server on the PATH",
  }),
  peerWait: replicationSettingDescriptions.peerWait,
  ...accessDescriptions,
} as const;

export type SentinelSettings = Settings<typeof sentinelSettingDescriptions>;

/** The values, checked one by one and together. */
export function readSentinelSettings(
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): SentinelSettings {
  const settings = readSettings(sentinelSettingDescriptions, flags, environment);
  checkDiscovery(settings, environment);
  checkTls(settings);
  return settings;
}

/** More than half, so that no two sides of a partition can elect. */
export const majorityOf = (sentinels: number): number => Math.floor(sentinels / 2) + 1;
