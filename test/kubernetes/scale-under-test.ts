/**
 * The site of the scale test: a Redis Cluster, an application in front of it, and what is done to both. Its ConfigMap is taken by
 * Rekindle's reload, or by what many have instead: a watcher that kills every process of the pod, so that all start with the new file.
 */
import { readFileSync } from "node:fs";
import { loadAllYaml } from "@kubernetes/client-node";
import { inject } from "vitest";
import { until } from "../redis/until.ts";
import { apps, core, type KubernetesObject, objects, type V1Pod } from "./api-under-test.ts";
import { addReload, addSidecar } from "./sidecar-under-test.ts";
import {
  containersOf,
  createSite,
  isReady,
  nameOf,
  podTemplatesOf,
  type Site,
  serverOf,
} from "./site-under-test.ts";

export const ways = ["rekindle", "kill all"] as const;
export type Way = (typeof ways)[number];

/** The pods see a change at different moments, as far apart as the kubelet likes; within a fifth of a second they are all gone. */
const killOnChange = `
seen=$(readlink /etc/redis/..data)
while sleep 0.2; do
  now=$(readlink /etc/redis/..data)
  [ "$now" = "$seen" ] || kill -TERM -1
  seen=$now
done`;

const editFor: Readonly<Record<Way, (objects: readonly KubernetesObject[]) => void>> = {
  rekindle(objects) {
    addSidecar(objects);
    addReload(objects);
  },
  "kill all"(objects) {
    for (const { spec } of podTemplatesOf(objects)) {
      Object.assign(spec, { shareProcessNamespace: true });
      const resources = { requests: { cpu: "10m" } };
      const volumeMounts = [{ name: "config", mountPath: "/etc/redis" }];
      const { image } = inject("testImages");
      const command = ["sh", "-c", killOnChange];
      spec.containers.push(
        Object.assign({ name: "kill", image, resources, volumeMounts }, { command }),
      );
    }
  },
};

export interface ScaleSite extends AsyncDisposable {
  readonly way: Way;
  readonly redis: Site;
  /** Until so many of the application's pods are ready, and no others are there. */
  scaleApp(replicas: number): Promise<void>;
  /** The ConfigMap's redis.conf as it is shipped, with these lines added. */
  configure(...lines: readonly string[]): Promise<void>;
  /** Until every server has it, and the cluster is whole. */
  untilConfigured(name: string, value: string): Promise<void>;
}

export async function createScaleSite(way: Way, replicas: number): Promise<ScaleSite> {
  await using made = new AsyncDisposableStack();
  const redis = made.use(await createSite({ manifest: "deployment", edit: editFor[way] }));
  const { namespace } = redis;
  const configMap = { name: "redis", namespace };
  const { data } = await core.readNamespacedConfigMap(configMap);
  const site: ScaleSite = {
    way,
    redis,
    async scaleApp(replicas) {
      const metadata = { name: "app", namespace };
      const body = { metadata, spec: { replicas } };
      await apps.replaceNamespacedDeploymentScale({ ...metadata, body });
      await until(
        `${replicas} pods of the application`,
        async () => (await core.listNamespacedPod({ namespace, labelSelector: "app=app" })).items,
        (pods) => pods.length === replicas && pods.every(isReady),
        120_000,
      );
    },
    async configure(...lines) {
      const body = await core.readNamespacedConfigMap(configMap);
      body.data = { "redis.conf": `${data?.["redis.conf"]}\n${lines.join("\n")}\n` };
      await core.replaceNamespacedConfigMap({ ...configMap, body });
    },
    async untilConfigured(name, value) {
      const ask = async (pod: V1Pod) => {
        const answer = await redis.redis(pod, "CONFIG", "GET", name).catch(() => "down");
        return answer.split("\n")[1] ?? answer;
      };
      await until(
        `${name} on every server`,
        async () => Promise.all((await redis.pods()).map(ask)),
        (values) => values.length === 6 && values.every((one) => one === value),
        untilDoneMs,
      );
      await redis.waitUntilWhole(6, untilDoneMs);
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
  const path = new URL("scale-app.yaml", import.meta.url);
  const shipped = loadAllYaml(readFileSync(path, "utf8")) as KubernetesObject[];
  for (const object of shipped) object.metadata = { ...object.metadata, namespace };
  for (const container of containersOf(shipped)) container.image = inject("testImages").scale;
  for (const object of shipped) await objects.create(object);
  await site.scaleApp(replicas);
  made.move();
  return site;
}

const untilDoneMs = 240_000;

export interface Happening {
  readonly name: string;
  /** Of the application, before. */
  readonly replicas: number;
  /** False: no file changes, and one way is as good as the other. */
  readonly isAboutFiles: boolean;
  /** @returns when all is as it should be. */
  happen(site: ScaleSite): Promise<void>;
}

const changing = (what: string, setting: string, value: string): Happening => ({
  name: `${what} (${setting})`,
  replicas: 2,
  isAboutFiles: true,
  async happen(site) {
    await site.configure(`${setting} ${value}`);
    await site.untilConfigured(setting, value);
  },
});

export const happenings: readonly Happening[] = [
  {
    name: "the application is scaled 1 → 2 → 4 → 1",
    replicas: 1,
    isAboutFiles: false,
    async happen({ scaleApp }) {
      for (const replicas of [2, 4, 1]) await scaleApp(replicas);
    },
  },
  changing("a live setting changes", "maxmemory-policy", "volatile-lru"),
  changing("a setting changes that needs a restart", "tcp-backlog", "600"),
  {
    name: "the file is made invalid, and mended",
    replicas: 2,
    isAboutFiles: true,
    async happen(site) {
      await site.configure("no-such-setting 1");
      await untilNoticed(site);
      await site.configure("timeout 300");
      await site.untilConfigured("timeout", "300");
    },
  },
  {
    name: "Redis 7.0 is rolled to 8.0",
    replicas: 2,
    isAboutFiles: false,
    async happen({ redis }) {
      const old = new Set((await redis.pods()).map(nameOf));
      await redis.setImage(inject("testImages").nextImage);
      await until(
        "new pods alone",
        redis.pods,
        (pods) => !pods.some((pod) => old.has(nameOf(pod))),
        untilDoneMs,
      );
      await redis.waitUntilWhole(6, untilDoneMs);
    },
  },
];

/** Until every pod has seen the invalid file: it is refused, or the servers were killed for it. */
async function untilNoticed({ way, redis }: ScaleSite): Promise<void> {
  const hasRefused = async (pod: V1Pod): Promise<boolean> => {
    const at = { name: nameOf(pod), namespace: redis.namespace, container: "sidecar" };
    return (await core.readNamespacedPodLog(at)).includes("ReloadRefused");
  };
  const wasKilled = async (pod: V1Pod) => (serverOf(pod)?.restartCount ?? 0) > 0;
  await until(
    "every pod's word",
    async () => Promise.all((await redis.pods()).map(way === "rekindle" ? hasRefused : wasKilled)),
    (seen) => seen.length === 6 && seen.every(Boolean),
    untilDoneMs,
  );
}
