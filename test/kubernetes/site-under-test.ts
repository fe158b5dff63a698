/**
 * One cluster of a test: a namespace with one of the manifests as it is shipped, but for the images' names.
 */
import { readFileSync } from "node:fs";
import { loadAllYaml } from "@kubernetes/client-node";
import { inject } from "vitest";
import type { SetStatus } from "../../src/status/describe-set.ts";
import type { Status } from "../../src/status/describe-status.ts";
import { until } from "../redis/until.ts";
import {
  core,
  createNamespace,
  execIn,
  type KubernetesObject,
  objects,
  tryIn,
  type V1Pod,
  version,
} from "./api-under-test.ts";
import { type Load, startLoad } from "./load-under-test.ts";
import { containerIdOf, cutOff, killContainer } from "./processes-under-test.ts";

export interface Site extends AsyncDisposable {
  readonly namespace: string;
  /** The nodes' pods that are there to stay. */
  pods(): Promise<readonly V1Pod[]>;
  /** As `rekindle status --json` sees the cluster from outside of its pods. */
  status(): Promise<Status>;
  /** The same for one alpha and its betas under Sentinel. */
  setStatus(): Promise<SetStatus>;
  waitUntilReady(nodes: number, withinMs?: number): Promise<void>;
  /** Until so many pods are ready and `status` calls their cluster whole. @returns milliseconds. */
  waitUntilWhole(nodes?: number, withinMs?: number): Promise<number>;
  /** The pod of some alpha, or beta. */
  podOf(role: "alpha" | "beta"): Promise<V1Pod>;
  delete(pod: V1Pod, options?: { force: boolean }): Promise<void>;
  /** kill -9 of a container's first process, from outside. The node's, where none is named. */
  kill(pod: V1Pod, container?: string): Promise<void>;
  /** Cuts a pod off from all others, until what is returned is called; its processes run on. */
  cutOff(pod: V1Pod): Promise<() => void>;
  scale(replicas: number): Promise<void>;
  setImage(image: string): Promise<void>;
  /** redis-cli against one pod. */
  redis(pod: V1Pod, ...command: readonly string[]): Promise<string>;
  log(pod: V1Pod): Promise<string>;
  /** What Rekindle told about its pods: `Joined: joining as a beta of …`. */
  events(): Promise<readonly string[]>;
  /** The same with times, in milliseconds since 1970. */
  toldEvents(): Promise<readonly { at: number; reason: string; pod: string }[]>;
  /** The server's version, in words. */
  kubernetes(): Promise<string>;
  startLoad(): Promise<Load>;
  exec(pod: V1Pod, ...command: readonly string[]): Promise<{ output: string; exitCode: number }>;
}

export interface SiteOptions {
  readonly manifest: "deployment" | "statefulset" | "sentinel";
  /** Changes the objects before they are created. */
  readonly edit?: (objects: readonly KubernetesObject[]) => void;
  /** False: does not wait until the cluster is whole. */
  readonly isAwaited?: boolean;
}

export const lookAgainMs = 300;
const passwordPath = "/etc/redis-secret/password";

export function readManifest(
  manifest: SiteOptions["manifest"] | "cache-sidecar",
): KubernetesObject[] {
  const path = new URL(`../../deployment/${manifest}.yaml`, import.meta.url);
  return loadAllYaml(readFileSync(path, "utf8")) as KubernetesObject[];
}

export async function createSite({ manifest, edit, isAwaited = true }: SiteOptions): Promise<Site> {
  const namespace = await createNamespace();
  const site = openSite(namespace, manifest);
  try {
    const shipped = readManifest(manifest);
    fitForTest(shipped, namespace);
    edit?.(shipped);
    for (const object of shipped) await objects.create(object);
    // Without limits, to ask the nodes from.
    await objects.create(idlePod("tools", namespace));
    if (isAwaited) await site.waitUntilWhole();
    return site;
  } catch (thrown) {
    await site[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** A manifest as it is shipped, but for the images' names and what a small machine needs. */
export function fitForTest(shipped: readonly KubernetesObject[], namespace: string): void {
  for (const object of shipped) object.metadata = { ...object.metadata, namespace };
  for (const container of containersOf(shipped)) {
    container.image = testImageOf(container.image);
    // Room on a small machine, where pods of an earlier test are still ending; the limits are as shipped.
    container.resources.requests.cpu = "10m";
  }
  for (const { spec } of podTemplatesOf(shipped)) spec.terminationGracePeriodSeconds = 20;
}

/** Of Rekindle's image and the exporter's. */
function testImageOf(shipped: string): string {
  const { image, metrics } = inject("testImages");
  return shipped.startsWith("rekindle:") ? image : metrics;
}

export interface Container {
  name: string;
  image: string;
  resources: { requests: { cpu: string } };
  env?: { name: string; value: string }[];
  args?: string[];
  volumeMounts?: { name: string; mountPath: string }[];
}

interface Workload extends KubernetesObject {
  spec: { replicas: number; template: PodTemplate };
}

interface PodTemplate {
  // A kubelet of 1.20 now and then takes all of it to notice that the containers have ended.
  spec: {
    containers: Container[];
    terminationGracePeriodSeconds: number;
    volumes: { name: string; [kind: string]: unknown }[];
  };
}

export const podTemplatesOf = (all: readonly KubernetesObject[]): PodTemplate[] =>
  all
    .filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet")
    .map((one) => (one as Workload).spec.template);

export const containersOf = (all: readonly KubernetesObject[]): Container[] =>
  podTemplatesOf(all).flatMap(({ spec }) => spec.containers);

export const idlePod = (name: string, namespace: string): KubernetesObject =>
  clientPod(name, namespace, inject("testImages").image, ["sleep", "infinity"]);

export function clientPod(
  name: string,
  namespace: string,
  image: string,
  command: readonly string[] | undefined,
  environment: readonly { readonly name: string; readonly value: string }[] = [],
): KubernetesObject {
  const spec = {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    securityContext: { fsGroup: 999 },
    containers: [
      {
        name,
        image,
        imagePullPolicy: "IfNotPresent",
        ...(command && { command }),
        env: [{ name: "REKINDLE_PASSWORD_FILE", value: passwordPath }, ...environment],
        volumeMounts: [{ name: "secret", mountPath: "/etc/redis-secret" }],
      },
    ],
    volumes: [
      { name: "secret", secret: { secretName: "redis", defaultMode: 0o440, optional: true } },
    ],
  };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, spec } as KubernetesObject;
}

const isLeaving = (pod: V1Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;
export const isReady = (pod: V1Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ===
  true;
export const nameOf = (pod: V1Pod): string => pod.metadata?.name ?? "";
/** The state of its server's container; Kubernetes sorts them by name. */
export const serverOf = (pod: V1Pod) =>
  pod.status?.containerStatuses?.find(({ name }) => name === "redis");
export const addressOf = (pod: V1Pod): string => pod.status?.podIP ?? "";

function openSite(namespace: string, manifest: SiteOptions["manifest"]): Site {
  const isSet = manifest === "sentinel";
  const nodesShipped = isSet ? 3 : 6;
  const readWorkload = async () =>
    (await objects.read({
      apiVersion: "apps/v1",
      kind: manifest === "deployment" ? "Deployment" : "StatefulSet",
      metadata: { name: "redis", namespace },
    })) as Workload;

  async function askStatus<T>(): Promise<T> {
    const pods = (await site.pods()).filter(isReady);
    const [pod = (await site.pods())[0]] = pods;
    if (pod === undefined) throw new Error("there is no pod to ask");
    const command = ["rekindle", "status", "--json", "--connect", `${addressOf(pod)}:6379`];
    const { output } = await tryIn(namespace, "tools", "tools", command);
    return JSON.parse(output) as T;
  }

  const site: Site = {
    namespace,
    async pods() {
      const { items } = await core.listNamespacedPod({ namespace, labelSelector: "app=redis" });
      return items.filter((pod) => !isLeaving(pod));
    },
    status: () => askStatus<Status>(),
    setStatus: () => askStatus<SetStatus>(),
    async waitUntilReady(nodes, withinMs = 120_000) {
      await until(
        `${nodes} ready pods`,
        async () => {
          await pause(lookAgainMs);
          return site.pods();
        },
        (pods) => pods.length === nodes && pods.every(isReady),
        withinMs,
        (pods) =>
          pods.map((pod) => `${nameOf(pod)} ${isReady(pod) ? "ready" : "not ready"}`).join(", "),
      );
    },
    async waitUntilWhole(nodes = nodesShipped, withinMs = 120_000) {
      const startedAt = performance.now();
      await site.waitUntilReady(nodes, withinMs);
      await until(
        "a whole cluster",
        () => askStatus<Status | SetStatus>(),
        ({ state, nodes: members }) => state === "whole" && members === nodes,
        withinMs,
        (seen) => JSON.stringify(seen, null, 1),
      );
      return performance.now() - startedAt;
    },
    async podOf(role) {
      const seen = await askStatus<Status | SetStatus>();
      const shard = "shards" in seen ? seen.shards[0] : seen;
      const node = role === "alpha" ? shard?.alpha : shard?.betas[0];
      const pod = (await site.pods()).find((one) => node?.address.startsWith(`${addressOf(one)}:`));
      if (pod === undefined) throw new Error(`there is no ${role}: ${JSON.stringify(seen)}`);
      return pod;
    },
    async delete(pod, { force } = { force: false }) {
      await core.deleteNamespacedPod({
        name: nameOf(pod),
        namespace,
        ...(force && { gracePeriodSeconds: 0 }),
      });
    },
    async kill(pod, container = "redis") {
      killContainer(containerIdOf(pod, container));
    },
    cutOff: async (pod) => cutOff(containerIdOf(pod, "redis")),
    async scale(replicas) {
      const workload = await readWorkload();
      workload.spec.replicas = replicas;
      await objects.replace(workload);
    },
    async setImage(image) {
      const workload = await readWorkload();
      for (const container of containersOf([workload]))
        if (container.image?.startsWith("rekindle:")) container.image = image;
      await objects.replace(workload);
    },
    redis: (pod, ...command) =>
      execIn(namespace, "tools", "tools", [
        "sh",
        "-c",
        `REDISCLI_AUTH=$(cat ${passwordPath}) exec redis-cli -h ${addressOf(pod)} "$@"`,
        "redis-cli",
        ...command,
      ]),
    log: (pod) => core.readNamespacedPodLog({ name: nameOf(pod), namespace, container: "redis" }),
    async events() {
      const { items } = await core.listNamespacedEvent({ namespace });
      return items
        .filter(({ source }) => source?.component === "rekindle")
        .sort((a, b) => Number(a.firstTimestamp) - Number(b.firstTimestamp))
        .map(({ reason, message }) => `${reason}: ${message}`);
    },
    async toldEvents() {
      const { items } = await core.listNamespacedEvent({ namespace });
      return items
        .filter(({ source }) => source?.component === "rekindle")
        .map(({ firstTimestamp, reason = "", involvedObject }) => ({
          at: Number(firstTimestamp),
          reason,
          pod: involvedObject.name ?? "",
        }));
    },
    kubernetes: async () => `Kubernetes ${(await version.getCode()).gitVersion}`,
    startLoad: () => startLoad(namespace, isSet),
    exec: (pod, ...command) => tryIn(namespace, nameOf(pod), "redis", command),
    async [Symbol.asyncDispose]() {
      if (process.env.REKINDLE_TEST_KEEP === "yes") return;
      await core.deleteNamespace({ name: namespace });
    },
  };
  return site;
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
