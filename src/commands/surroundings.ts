/**
 * What a verb in a pod has around it: who its peers are, whose turn it is, and where it tells what it does.
 */
import { randomBytes } from "node:crypto";
import { type Lock, noLock } from "../cluster/lock.ts";
import {
  type ClusterSettings,
  clusterSettingDescriptions,
  discoveryOf,
} from "../cluster/settings.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { KubernetesDiscovery } from "../discovery/kubernetes.ts";
import { explain, type RekindleError } from "../errors.ts";
import { findAccess, isInPod } from "../kubernetes/access.ts";
import { kubernetesSettingDescriptions } from "../kubernetes/settings.ts";
import { createLog, type Log, withReports } from "../log.ts";
import { type Flags, readSettings, type Settings } from "../settings.ts";

const { port, busPort, address, ipFamily, onNewTemplate } = clusterSettingDescriptions;

/** Where a verb in a pod looks. */
export const whereaboutsDescriptions = {
  port,
  busPort,
  address,
  ipFamily,
  onNewTemplate,
  ...kubernetesSettingDescriptions,
} as const;

const { user, passwordFile, tlsCert, tlsKey, tlsCa, logLevel, logFormat } =
  clusterSettingDescriptions;

/** What opens the servers of a cluster, and how a verb says what it does there. */
export const connectionDescriptions = {
  user,
  passwordFile,
  tlsCert,
  tlsKey,
  tlsCa,
  logLevel,
  logFormat,
} as const;

export type Whereabouts = Settings<typeof whereaboutsDescriptions>;

export interface Surroundings {
  readonly discovery: Discovery;
  readonly lock: Lock;
  /** Its lines with a `report` become Events on the pod. */
  readonly log: Log;
  /** When Kubernetes will kill this pod, in milliseconds since 1970; undefined while it is not to end. */
  endsAt(): number | undefined;
  /** The Event that says why this process ends, also where nothing was asked of Kubernetes before. */
  tellRefusal(thrown: RekindleError): Promise<void>;
  /** Waits a moment for Events that are under way, and lets go of everything. */
  close(): Promise<void>;
}

/** An Event is worth this much of a boot's time. */
const lastWordsMs = 500;

/** @param verb holds the Lease in this pod; its other processes are others. */
export async function findSurroundings(
  settings: Whereabouts & Pick<ClusterSettings, "discovery" | "peers" | "dns" | "peerWait">,
  environment: NodeJS.ProcessEnv,
  log: Log,
  verb: string,
): Promise<Surroundings> {
  const { port, busPort, address, ipFamily } = settings;
  const common = { port, busPort, address, lookupDeadlineMs: 5_000 };
  const alone = {
    lock: noLock,
    log,
    endsAt: () => undefined,
    tellRefusal: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  switch (discoveryOf(settings, environment)) {
    case "dns": {
      const { discoverDns } = await import("../discovery/dns.ts");
      const name = settings.dns ?? "";
      return { ...alone, discovery: discoverDns({ ...common, name, family: ipFamily }) };
    }
    case "fixed": {
      const { discoverFixed } = await import("../discovery/fixed.ts");
      return { ...alone, discovery: discoverFixed({ ...common, peers: settings.peers ?? [] }) };
    }
    case "kubernetes":
      return inKubernetes(settings, environment, log, verb);
  }
}

/** @param settings of which `peerWait` says how long missing rights are waited for. */
async function inKubernetes(
  settings: Whereabouts & Pick<ClusterSettings, "peerWait">,
  environment: NodeJS.ProcessEnv,
  log: Log,
  verb: string,
): Promise<Surroundings> {
  const [{ openApi }, { discoverKubernetes }, { createLock }, { createPodEvents }] =
    await Promise.all([
      import("../kubernetes/api.ts"),
      import("../discovery/kubernetes.ts"),
      import("../kubernetes/lease.ts"),
      import("../kubernetes/events.ts"),
    ]);
  const access = findAccess(settings, environment);
  const api = openApi(access);
  const discovery = discoverKubernetes({
    access,
    api,
    ...settings,
    family: settings.ipFamily,
    patienceMs: settings.peerWait,
  });
  const events = once(() => {
    const pod = discovery.pod();
    return pod && createPodEvents(api, pod, () => randomBytes(8).toString("hex"));
  });
  const tell = (report: string, message: string, isWarning: boolean) =>
    events()?.tell(report, message, isWarning);
  const lock = once(() => {
    const name = leaseName(discovery, settings.onNewTemplate === "fresh");
    const who = { pod: access.pod, verb };
    return name && createLock(api, name, who, () => performance.now());
  });
  return {
    discovery,
    lock: {
      // Whoever founds knows its pod; before that there is nothing to hold.
      hold: (isAround) => (lock() || noLock).hold(isAround),
      markFounded: async (at) => (lock() || noLock).markFounded(at),
      release: async () => (lock() || noLock).release(),
    },
    log: withReports(log, tell),
    endsAt: () => Date.parse(discovery.own()?.pod.metadata.deletionTimestamp ?? "") || undefined,
    async tellRefusal(thrown) {
      await discovery.findPod();
      tell("Refused", explain(thrown), true);
    },
    async close() {
      await events()?.flush(lastWordsMs);
      discovery.close();
    },
  };
}

/** For what is refused before anything around this process was looked at: settings that do not fit. */
export async function tellRefusal(
  thrown: RekindleError,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  if (!isInPod(environment)) return;
  try {
    const settings = readSettings(whereaboutsDescriptions, flags, environment);
    const log = createLog("error", "auto");
    const around = await inKubernetes({ ...settings, peerWait: 0 }, environment, log, "cluster");
    await around.tellRefusal(thrown);
    await around.close();
  } catch {
    // What was refused is said in the log in any case.
  }
}

/**
 * For a verb that goes on without Kubernetes: undefined elsewhere than in a pod, and in one that may not ask.
 *
 * @param onTrouble is told why a pod may not ask.
 */
export async function askKubernetes(
  settings: Whereabouts,
  environment: NodeJS.ProcessEnv,
  log: Log,
  verb: string,
  onTrouble: (thrown: unknown) => void,
): Promise<Surroundings | undefined> {
  if (!isInPod(environment)) return undefined;
  try {
    return await inKubernetes({ ...settings, peerWait: 0 }, environment, log, verb);
  } catch (thrown) {
    onTrouble(thrown);
    return undefined;
  }
}

/** One Lease for each cluster: where every template is one, its hash tells them apart. */
function leaseName(discovery: KubernetesDiscovery, isFresh: boolean): string | undefined {
  const own = discovery.own();
  if (own === undefined) return undefined;
  return isFresh ? `${own.owner.name}-${own.template}` : own.owner.name;
}

/** Made when it is first there. */
function once<T>(make: () => T | undefined): () => T | undefined {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
