/**
 * One cluster of a test: a namespace with one of the manifests as it is shipped, but for the images' names.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { loadAllYaml } from "@kubernetes/client-node";
import { inject } from "vitest";
import type { Status } from "../../src/status/describe-status.ts";
import { until } from "../redis/until.ts";
import {
  apps,
  core,
  createNamespace,
  execIn,
  type KubernetesObject,
  objects,
  tryIn,
  type V1Pod,
  version,
} from "./api-under-test.ts";
import type { Summary } from "./load.ts";

export interface Site extends AsyncDisposable {
  readonly namespace: string;
  /** The nodes' pods that are there to stay. */
  pods(): Promise<readonly V1Pod[]>;
  /** As `rekindle status --json` sees the cluster from outside of its pods. */
  status(): Promise<Status>;
  waitUntilReady(nodes: number, withinMs?: number): Promise<void>;
  /** Until so many pods are ready and `status` calls their cluster whole. @returns milliseconds. */
  waitUntilWhole(nodes?: number, withinMs?: number): Promise<number>;
  /** The pod of some alpha, or beta. */
  podOf(role: "alpha" | "beta"): Promise<V1Pod>;
  delete(pod: V1Pod, options?: { force: boolean }): Promise<void>;
  /** kill -9 of the container's first process, from outside. */
  kill(pod: V1Pod): Promise<void>;
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

export interface Load {
  /** Ends the writing, reads everything back, and says what was seen. */
  end(): Promise<Summary>;
  /** Its reports so far: when, and how many writes in all. */
  reports(): Promise<readonly { readonly at: string; readonly writes: number }[]>;
}

export interface SiteOptions {
  readonly manifest: "deployment" | "statefulset";
  /** Changes the objects before they are created. */
  readonly edit?: (objects: readonly KubernetesObject[]) => void;
  /** False: does not wait until the cluster is whole. */
  readonly isAwaited?: boolean;
}

const lookAgainMs = 300;
const passwordPath = "/etc/redis-secret/password";

export function readManifest(manifest: SiteOptions["manifest"]): KubernetesObject[] {
  const path = new URL(`../../deployment/${manifest}.yaml`, import.meta.url);
  return loadAllYaml(readFileSync(path, "utf8")) as KubernetesObject[];
}

export async function createSite({ manifest, edit, isAwaited = true }: SiteOptions): Promise<Site> {
  const namespace = await createNamespace();
  const site = openSite(namespace);
  try {
    const shipped = readManifest(manifest);
    for (const object of shipped) object.metadata = { ...object.metadata, namespace };
    for (const container of containersOf(shipped)) {
      container.image = testImageOf(container.image);
      // Room on a small machine, where pods of an earlier test are still ending; the limits are as shipped.
      container.resources.requests.cpu = "10m";
    }
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

/** Of Rekindle's image and the exporter's. */
function testImageOf(shipped: string): string {
  const { image, metrics } = inject("testImages");
  return shipped.startsWith("rekindle:") ? image : metrics;
}

interface Container {
  name: string;
  image: string;
  resources: { requests: { cpu: string } };
  env?: { name: string; value: string }[];
  args?: string[];
}

interface PodTemplate {
  spec: { template: { spec: { containers: Container[] } } };
}

export const containersOf = (all: readonly KubernetesObject[]): Container[] =>
  all
    .filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet")
    .flatMap((one) => (one as unknown as PodTemplate).spec.template.spec.containers);

export const idlePod = (name: string, namespace: string): KubernetesObject =>
  clientPod(name, namespace, inject("testImages").image, ["sleep", "infinity"]);

function clientPod(
  name: string,
  namespace: string,
  image: string,
  command: readonly string[] | undefined,
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
        env: [{ name: "REKINDLE_PASSWORD_FILE", value: passwordPath }],
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

function openSite(namespace: string): Site {
  const workload = { name: "redis", namespace };

  const site: Site = {
    namespace,
    async pods() {
      const { items } = await core.listNamespacedPod({ namespace, labelSelector: "app=redis" });
      return items.filter((pod) => !isLeaving(pod));
    },
    async status() {
      const pods = (await site.pods()).filter(isReady);
      const [pod = (await site.pods())[0]] = pods;
      if (pod === undefined) throw new Error("there is no pod to ask");
      const command = ["rekindle", "status", "--json", "--connect", `${addressOf(pod)}:6379`];
      const { output } = await tryIn(namespace, "tools", "tools", command);
      return JSON.parse(output) as Status;
    },
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
    async waitUntilWhole(nodes = 6, withinMs = 120_000) {
      const startedAt = performance.now();
      await site.waitUntilReady(nodes, withinMs);
      await until(
        "a whole cluster",
        () => site.status(),
        ({ state, nodes: members }) => state === "whole" && members === nodes,
        withinMs,
      );
      return performance.now() - startedAt;
    },
    async podOf(role) {
      const { shards } = await site.status();
      const [shard] = shards;
      const node = role === "alpha" ? shard?.alpha : shard?.betas[0];
      const pod = (await site.pods()).find((one) => node?.address.startsWith(`${addressOf(one)}:`));
      if (pod === undefined) throw new Error(`there is no ${role}: ${JSON.stringify(shards)}`);
      return pod;
    },
    async delete(pod, { force } = { force: false }) {
      await core.deleteNamespacedPod({
        name: nameOf(pod),
        namespace,
        ...(force && { gracePeriodSeconds: 0 }),
      });
    },
    async kill(pod) {
      killContainer(serverOf(pod)?.containerID ?? "");
    },
    async scale(replicas) {
      const { spec, ...rest } = await apps.readNamespacedDeploymentScale(workload);
      await apps.replaceNamespacedDeploymentScale({
        ...workload,
        body: { ...rest, spec: { ...spec, replicas } },
      });
    },
    async setImage(image) {
      const body = await apps.readNamespacedDeployment(workload);
      const containers = body.spec?.template.spec?.containers ?? [];
      for (const container of containers)
        if (container.image?.startsWith("rekindle:")) container.image = image;
      await apps.replaceNamespacedDeployment({ ...workload, body });
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
    startLoad: () => startLoad(namespace),
    exec: (pod, ...command) => tryIn(namespace, nameOf(pod), "redis", command),
    async [Symbol.asyncDispose]() {
      if (process.env.REKINDLE_TEST_KEEP === "yes") return;
      await core.deleteNamespace({ name: namespace });
    },
  };
  return site;
}

/** The tests' Kubernetes runs its containers on this machine's Docker engine, or is k3s in one of its containers. */
function killContainer(containerId: string): void {
  const [runtime, id = ""] = containerId.split("://");
  const k3s = inject("k3s");
  if (runtime === "docker")
    execFileSync("docker", ["kill", "--signal", "KILL", id], { stdio: "ignore" });
  else if (k3s !== "") {
    const pid = `crictl inspect --output go-template --template '{{.info.pid}}' ${id}`;
    execFileSync("docker", ["exec", k3s, "sh", "-c", `kill -9 $(${pid})`], { stdio: "ignore" });
  } else throw new Error(`no way is known to kill a process of ${runtime} from outside`);
}

async function startLoad(namespace: string): Promise<Load> {
  const name = `load-${randomBytes(3).toString("hex")}`;
  const at = { name, namespace };
  await objects.create(clientPod(name, namespace, inject("testImages").load, undefined));
  const lines = async (): Promise<string> => {
    await pause(lookAgainMs);
    return core.readNamespacedPodLog(at).catch(() => "");
  };
  // A load that has not found its feet yet would not notice anything.
  await until("a load under way", lines, (log) => Number(lastReport(log)?.writes) > 200);
  return {
    async reports() {
      const log = await core.readNamespacedPodLog(at);
      const reports = log.split("\n").filter((line) => line.startsWith('{"at"'));
      return reports.map((line) => JSON.parse(line) as { at: string; writes: number });
    },
    async end() {
      await execIn(namespace, name, name, ["sh", "-c", "kill -USR2 1"]);
      const log = await until(
        "the load's summary",
        lines,
        (text) => text.includes('"summary"'),
        120_000,
      );
      await core.deleteNamespacedPod(at);
      const line = log.split("\n").find((one) => one.includes('"summary"')) ?? "";
      return (JSON.parse(line) as { summary: Summary }).summary;
    },
  };
}

function lastReport(log: string): { writes: number } | undefined {
  const line = log.trim().split("\n").at(-1) ?? "";
  return line.includes('"writes"') ? (JSON.parse(line) as { writes: number }) : undefined;
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
