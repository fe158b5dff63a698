/**
 * What a verb in a Kubernetes pod has around it: its peers, the Lease, Events on its pod, the disruption budget.
 */
import { randomBytes } from "node:crypto";
import { noLock } from "../cluster/lock.ts";
import type { ClusterSettings } from "../cluster/settings.ts";
import { withDeadline } from "../deadline.ts";
import { discoverKubernetes, type KubernetesDiscovery } from "../discovery/kubernetes.ts";
import { explain, isRekindleError, messageOf } from "../errors.ts";
import { findAccess } from "../kubernetes/access.ts";
import { openApi } from "../kubernetes/api.ts";
import { makeBudget } from "../kubernetes/budget.ts";
import { createPodEvents } from "../kubernetes/events.ts";
import { createLock, type Lock } from "../kubernetes/lease.ts";
import { labelRoles, requireFreeLabel } from "../kubernetes/role-labels.ts";
import type { OwnerReference } from "../kubernetes/types.ts";
import { controllerOf, ownedBy } from "../kubernetes/workload.ts";
import { type Log, withReports } from "../log.ts";
import type { Marking } from "../replication/tend.ts";
import type { PodSettings, Surroundings, Whereabouts } from "./surroundings.ts";

/** An Event is worth this much of a boot's time. */
const lastWordsMs = 500;

/** Longer than a label takes; the Sentinels will have it set once more. */
const labelDeadlineMs = 2_000;

type Settings = Whereabouts & Pick<ClusterSettings, "peerWait"> & PodSettings;

/**
 * @param settings of which `peerWait` says how long missing rights are waited for.
 * @param verb holds the Lease in this pod; its other processes are others.
 */
export function inKubernetes(
  settings: Settings,
  environment: NodeJS.ProcessEnv,
  plainLog: Log,
  verb: string,
): Surroundings {
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
  const log = withReports(plainLog, tell);
  const who = { pod: access.pod, verb };
  const lock = once(() => {
    const lease = findLease(discovery, settings.onNewTemplate === "fresh");
    return lease && createLock(api, lease, who, () => performance.now());
  });
  // A Lease of its own: a node that comes back heals under the other.
  const turns = once(() => {
    const [own, workload] = [discovery.own(), discovery.workload()];
    if (own === undefined || workload === undefined) return undefined;
    const lease = { name: `${own.owner.name}-restart`, owner: ownedBy(own.owner, workload) };
    return createLock(api, lease, who, () => performance.now());
  });
  let budget = Promise.resolve();

  async function markAlpha(name: string): Promise<Marking> {
    const [{ roleLabel }, workload] = [settings, discovery.workload()];
    if (roleLabel === undefined || workload === undefined) return "right";
    requireFreeLabel(roleLabel, workload.spec.selector);
    try {
      const labelling = labelRoles(api, discovery.mates(), name, roleLabel, discovery.put);
      return (await withDeadline(labelling, labelDeadlineMs)) ? "changed" : "right";
    } catch (thrown) {
      const why = isRekindleError(thrown) ? explain(thrown) : messageOf(thrown);
      log.warn("action", `the pods' labels do not tell who is the alpha: ${why}`, {
        report: "NoLabel",
      });
      return "failed";
    }
  }

  async function keepBudget(most: number): Promise<void> {
    const [own, workload] = [discovery.own(), discovery.workload()];
    if (own === undefined || workload === undefined) return;
    try {
      const outcome = await makeBudget(api, own.owner, workload, most);
      log.debug("action", `PodDisruptionBudget ${own.owner.name}: ${outcome}`);
    } catch (thrown) {
      const why = isRekindleError(thrown) ? explain(thrown) : messageOf(thrown);
      log.warn("action", `there is no disruption budget: ${why}`, { report: "NoBudget" });
    }
  }

  return {
    discovery,
    // Whoever founds knows its pod; before that there is nothing to hold.
    lock: onceKnown(lock),
    turns: onceKnown(turns),
    log,
    onSelf() {
      if (settings.disruptionBudget) budget = keepBudget(settings.disruptionBudget);
    },
    markAlpha,
    endsAt: () => Date.parse(discovery.pod()?.metadata.deletionTimestamp ?? "") || undefined,
    knowSelf: discovery.findPod,
    async tellRefusal(thrown) {
      await discovery.findPod();
      tell("Refused", explain(thrown), true);
    },
    async close() {
      await withDeadline(budget, lastWordsMs).catch(() => {});
      await events()?.flush(lastWordsMs);
      discovery.close();
    },
  };
}

/**
 * One Lease for each cluster: where every template is one, its hash tells them apart. It tells whether there was a cluster
 * before, and ends with what it tells of: a Deployment, or the ReplicaSet of a template. A StatefulSet's volumes outlive it.
 */
function findLease(
  discovery: KubernetesDiscovery,
  isFresh: boolean,
): { name: string; owner: OwnerReference | undefined } | undefined {
  const [own, workload] = [discovery.own(), discovery.workload()];
  if (own === undefined || workload === undefined) return undefined;
  const { owner, pod, template } = own;
  if (isFresh) return { name: `${owner.name}-${template}`, owner: controllerOf(pod) };
  const isDeployment = owner.kind === "Deployment";
  return { name: owner.name, owner: isDeployment ? ownedBy(owner, workload) : undefined };
}

const onceKnown = (find: () => Lock | undefined): Lock => ({
  hold: (isAround) => (find() || noLock).hold(isAround),
  markFounded: async (at) => (find() || noLock).markFounded(at),
  release: async () => (find() || noLock).release(),
});

/** Made when it is first there. */
function once<T>(make: () => T | undefined): () => T | undefined {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
