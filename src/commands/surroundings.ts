/**
 * What a verb in a pod has around it: who its peers are, whose turn it is, and where it tells what it does.
 */
import { type Lock, noLock } from "../cluster/lock.ts";
import {
  type ClusterSettings,
  clusterSettingDescriptions,
  discoveryOf,
} from "../cluster/settings.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { RekindleError } from "../errors.ts";
import { isInPod } from "../kubernetes/access.ts";
import { kubernetesSettingDescriptions } from "../kubernetes/settings.ts";
import { createLog, type Log } from "../log.ts";
import type { MarkAlpha } from "../replication/tend.ts";
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

/** What the nodes do to their pods, where they are asked to. */
export interface PodSettings {
  readonly disruptionBudget?: number | undefined;
  readonly roleLabel?: string | undefined;
}

export interface Surroundings {
  readonly discovery: Discovery;
  readonly lock: Lock;
  /** One at a time restarts its server; undefined where nothing outside of the nodes says whose turn it is. */
  readonly turns: Lock | undefined;
  /** Its lines with a `report` become Events on the pod. */
  readonly log: Log;
  /** Told when this node knows where it is and may be a peer, before anything is done. */
  onSelf(): void;
  /** Labels the pods with their roles, where the settings ask for it. What hinders that is told, and hinders nothing else. */
  readonly markAlpha: MarkAlpha;
  /** When Kubernetes will kill this pod, in milliseconds since 1970; undefined while it is not to end. */
  endsAt(): number | undefined;
  /** For who has Events to tell before anybody looks for peers: they are about the own pod, which has to be known. */
  knowSelf(): Promise<unknown>;
  /** The Event that says why this process ends, also where nothing was asked of Kubernetes before. */
  tellRefusal(thrown: RekindleError): Promise<void>;
  /** Waits a moment for Events that are under way, and lets go of everything. */
  close(): Promise<void>;
}

/**
 * @param verb holds the Lease in this pod; its other processes are others.
 * @param isOutside this process is none of the nodes, and a list of them need not name it.
 */
export async function findSurroundings(
  settings: Whereabouts &
    Pick<ClusterSettings, "discovery" | "peers" | "dns" | "peerWait"> &
    PodSettings,
  environment: NodeJS.ProcessEnv,
  log: Log,
  verb: string,
  isOutside = false,
): Promise<Surroundings> {
  const { port, busPort, address, ipFamily } = settings;
  const common = { port, busPort, address, lookupDeadlineMs: 5_000 };
  const alone: Omit<Surroundings, "discovery"> = {
    lock: noLock,
    turns: undefined,
    log,
    onSelf() {},
    markAlpha: () => Promise.resolve("right"),
    endsAt: () => undefined,
    knowSelf: () => Promise.resolve(),
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
      return {
        ...alone,
        discovery: discoverFixed({ ...common, isOutside, peers: settings.peers ?? [] }),
      };
    }
    case "kubernetes":
      return inKubernetes(settings, environment, log, verb);
  }
}

/** Loaded only where it is used: a boot elsewhere has no need of it. */
async function inKubernetes(
  ...given: Parameters<typeof import("./kubernetes-surroundings.ts").inKubernetes>
): Promise<Surroundings> {
  return (await import("./kubernetes-surroundings.ts")).inKubernetes(...given);
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
  settings: Whereabouts & PodSettings,
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
