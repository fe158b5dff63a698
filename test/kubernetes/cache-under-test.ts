/**
 * The application and its cache of deployment/cache-sidecar.yaml, with the cache's data in one place or another, and what may
 * befall it.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "../redis/until.ts";
import {
  apps,
  core,
  createNamespace,
  evict,
  execIn,
  type KubernetesObject,
  objects,
  tryIn,
  type V1Pod,
} from "./api-under-test.ts";
import { containerIdOf, killContainer } from "./processes-under-test.ts";
import {
  type Container,
  fitForTest,
  isReady,
  nameOf,
  pause,
  podTemplatesOf,
  readManifest,
} from "./site-under-test.ts";

/** Where the copy lies, and how the pod gets there. */
export interface TestStore {
  readonly url: string;
  readonly environment?: readonly { readonly name: string; readonly value: string }[];
  /** A volume at /store that stays, whatever becomes of the pod. */
  readonly isVolume?: true;
}

type Edit = (all: readonly KubernetesObject[], store: TestStore) => void;

/** Where the data lies, as the manifest has it or as its comments say. */
export const homes = {
  "no volume": (all) => {
    for (const { spec } of podTemplatesOf(all)) {
      spec.volumes = spec.volumes.filter(({ name }) => name !== "data");
      for (const one of spec.containers)
        one.volumeMounts = one.volumeMounts?.filter(({ name }) => name !== "data") ?? [];
    }
  },
  emptyDir: () => {},
  "a claim": (all) => {
    for (const { spec } of podTemplatesOf(all))
      spec.volumes = spec.volumes.filter(({ name }) => name !== "data");
    claim(all, "data");
  },
  "emptyDir and a store": (all, store) => {
    for (const { spec } of podTemplatesOf(all)) {
      const [redis] = spec.containers;
      if (redis === undefined) throw new Error("there is no redis container");
      const limits = { cpu: "100m", memory: "160Mi" };
      const resources = { requests: { ...limits }, limits };
      const backup: Container = {
        name: "backup",
        image: redis.image,
        args: ["sidecar", "--backup", store.url, "--continuous"],
        env: [...(store.environment ?? [])],
        resources,
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      };
      redis.env?.push(
        { name: "REKINDLE_RESTORE_FROM", value: store.url },
        ...(store.environment ?? []),
      );
      spec.containers.push(backup);
      if (store.isVolume)
        for (const one of [redis, backup])
          one.volumeMounts?.push({ name: "store", mountPath: "/store" });
    }
    if (store.isVolume) claim(all, "store");
  },
} satisfies Record<string, Edit>;

function claim(all: readonly KubernetesObject[], name: string): void {
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  for (const one of all)
    if (one.kind === "StatefulSet")
      Object.assign((one as { spec?: object }).spec ?? {}, {
        volumeClaimTemplates: [{ metadata: { name }, spec }],
      });
}

/** A folder stands for the object store. */
const folderOnVolume = (_namespace: string): TestStore => ({
  url: "file:///store",
  isVolume: true,
});

export type Home = keyof typeof homes;

/** What befalls it; each is over when it has been done, not when all is well again. */
export const fates = {
  "the application crashes": async ({ find }: Cache) => {
    const before = restartsOf(await find(), "app");
    await until(
      "another start of the application",
      find,
      (pod) => restartsOf(pod, "app") > before,
      90_000,
    );
  },
  "the redis container is killed": async ({ find }: Cache) =>
    killContainer(containerIdOf(await find(), "redis")),
  "redis exits cleanly": async (cache: Cache) => {
    await cache.tryRedis("shutdown");
  },
  "the pod is deleted": async ({ find, namespace }: Cache) => {
    await core.deleteNamespacedPod({ name: nameOf(await find()), namespace });
  },
  "the pod is evicted": async ({ find }: Cache) => {
    const status = await evict(await find());
    if (status !== 201) throw new Error(`the eviction was answered with ${status}`);
  },
  "the machine is gone": loseMachine,
} satisfies Record<string, (cache: Cache) => Promise<void>>;

export type Fate = keyof typeof fates;

/**
 * All that a lost machine takes along, on a Kubernetes that has one only: the pod's object is deleted by force, its processes are
 * killed, and what its volume holds is wiped where that is a disk of this machine. Then another pod may come, as on another machine.
 */
async function loseMachine({ find, namespace }: Cache): Promise<void> {
  const pod = await find();
  const at = { name: "cache-sidecar", namespace };
  const scale = async (replicas: number) => {
    const scaled = await apps.readNamespacedStatefulSetScale(at);
    await apps.replaceNamespacedStatefulSetScale({
      ...at,
      body: { ...scaled, spec: { replicas } },
    });
  };
  await scale(0);
  await core.deleteNamespacedPod({ name: nameOf(pod), namespace, gracePeriodSeconds: 0 });
  for (const { name } of pod.spec?.containers ?? []) {
    try {
      killContainer(containerIdOf(pod, name));
    } catch {
      // It has ended by itself: the application crashes all the time.
    }
  }
  const { items: claims } = await core.listNamespacedPersistentVolumeClaim({ namespace });
  for (const { spec } of claims) {
    const volume = await core.readPersistentVolume({ name: spec?.volumeName ?? "" });
    const path = volume.spec?.local?.path;
    if (path === undefined || !existsSync(path))
      throw new Error("the claim's volume is not a disk of this machine: it would stay");
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
  }
  await scale(1);
}

export interface Cache extends AsyncDisposable {
  readonly namespace: string;
  /** Its one pod that is there to stay. */
  find(): Promise<V1Pod>;
  waitUntilReady(): Promise<V1Pod>;
  redis(...command: readonly string[]): Promise<string>;
  tryRedis(...command: readonly string[]): Promise<string>;
  /** Of the container that runs. */
  log(container: "redis" | "app" | "backup"): Promise<string>;
  /** What the exporter says of it. */
  metrics(): Promise<string>;
}

/** @param storeOf for the one home that has one. */
export async function createCache(home: Home, storeOf = folderOnVolume): Promise<Cache> {
  const namespace = await createNamespace();
  const cache = openCache(namespace);
  try {
    const shipped = readManifest("cache-sidecar");
    fitForTest(shipped, namespace);
    (homes[home] as Edit)(shipped, storeOf(namespace));
    for (const object of shipped) await objects.create(object);
    await cache.waitUntilReady();
    if (home === "emptyDir and a store")
      await until(
        "the first snapshot",
        () => cache.log("backup").catch(String),
        (log) => /snapshot \S+ is in /.test(log),
        60_000,
        String,
      );
    return cache;
  } catch (thrown) {
    await cache[Symbol.asyncDispose]();
    throw thrown;
  }
}

export const statusOf = (pod: V1Pod, container: string) =>
  pod.status?.containerStatuses?.find(({ name }) => name === container);

export const restartsOf = (pod: V1Pod, container: string): number =>
  statusOf(pod, container)?.restartCount ?? 0;

/** The application is down most of the time: what counts is the server. */
const isServing = (pod: V1Pod): boolean => isReady(pod) || statusOf(pod, "redis")?.ready === true;

function openCache(namespace: string): Cache {
  const ask = async (command: readonly string[]) => {
    const name = nameOf(await cache.find());
    return { name, command: ["redis-cli", ...command] };
  };
  const cache: Cache = {
    namespace,
    async find() {
      const seen = await until(
        "one pod",
        async () => {
          await pause(200);
          const selector = { namespace, labelSelector: "app=cache-sidecar" };
          const { items } = await core.listNamespacedPod(selector);
          return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
        },
        (pods) => pods.length === 1,
        90_000,
      );
      return seen[0] as V1Pod;
    },
    waitUntilReady: () =>
      until("a server that is ready", cache.find, isServing, 120_000, (pod) =>
        JSON.stringify(pod.status, null, 1),
      ),
    async redis(...words) {
      const { name, command } = await ask(words);
      return (await execIn(namespace, name, "redis", command)).trim();
    },
    async tryRedis(...words) {
      const { name, command } = await ask(words);
      return (await tryIn(namespace, name, "redis", command)).output.trim();
    },
    log: async (container) =>
      core.readNamespacedPodLog({ name: nameOf(await cache.find()), namespace, container }),
    async metrics() {
      const name = nameOf(await cache.find());
      const at = { name: `${name}:9121`, namespace, path: "metrics" };
      return core.connectGetNamespacedPodProxyWithPath(at);
    },
    async [Symbol.asyncDispose]() {
      if (process.env.REKINDLE_TEST_KEEP === "yes") return;
      await core.deleteNamespace({ name: namespace });
    },
  };
  return cache;
}

/** What is seen of a fate, afterwards. */
export interface Outcome {
  readonly isKept: boolean;
  /** From what befell it until the server took commands again; 0 where it was never away. */
  readonly awayMs: number;
  /** In words, as each of the three tells it. */
  readonly described: string;
  readonly logged: string;
  readonly measured: string;
}

const counted = 1_000;

/** Counts, lets it happen, waits until a server is there again, and looks. */
export async function suffer(cache: Cache, fate: Fate): Promise<Outcome> {
  await cache.redis("set", "mycounter", `${counted}`);
  // Synced each second, and stored a second later at most.
  await pause(3_000);
  const before = {
    pod: await cache.find(),
    run: await runIdOf(cache),
    startedAt: await startTimeOf(cache),
  };
  const startedAt = Date.now();
  await fates[fate](cache);
  const run = await until(
    "a server that answers",
    () => runIdOf(cache).catch(String),
    (seen) =>
      /^[0-9a-f]{40}$/.test(seen) && (seen !== before.run || fate === "the application crashes"),
    120_000,
  );
  const [pod, log] = [await cache.waitUntilReady(), await cache.log("redis")];
  const value = Number(await cache.redis("get", "mycounter"));
  return {
    isKept: value >= counted,
    awayMs: run === before.run ? 0 : readyAt(log) - startedAt,
    described: describePod(before.pod, pod),
    logged: [
      ...log.matchAll(/"message":"(restored snapshot|there is no data|the server loads)([^"]*)/g),
    ]
      .map(([, what, more]) => `${what}${more}`)
      .join(", "),
    measured: await describeMetrics(cache, before.startedAt),
  };
}

const runIdOf = async (cache: Cache): Promise<string> =>
  /run_id:([0-9a-f]+)/.exec(await cache.redis("info", "server"))?.[1] ?? "";

/** To the millisecond, as the server says it. */
function readyAt(log: string): number {
  const [, date = ""] = /^\d+:M (\d+ \w+ \d+ [\d:.]+) \* Ready to accept/m.exec(log) ?? [];
  return Date.parse(`${date} UTC`);
}

/** As `kubectl describe pod` shows it. */
function describePod(before: V1Pod, after: V1Pod): string {
  if (before.metadata?.uid !== after.metadata?.uid) return "another pod, redis: restarts 0";
  const status = statusOf(after, "redis");
  const ended = status?.lastState?.terminated;
  const app = statusOf(after, "app");
  return ended === undefined
    ? `redis: restarts 0; app: restarts ${app?.restartCount}, last state Error, exit code ${app?.lastState?.terminated?.exitCode}`
    : `redis: restarts ${status?.restartCount}, last state ${ended.reason}, exit code ${ended.exitCode}`;
}

/** What an alert could be made of. */
async function describeMetrics(cache: Cache, startedBefore: string): Promise<string> {
  const startedAt = await startTimeOf(cache);
  const keys = /^redis_db_keys\{db="db0"\} (\S+)/m.exec(await cache.metrics())?.[1] ?? "0";
  const change = startedAt === startedBefore ? "as before" : "new";
  return `redis_start_time_seconds: ${change}; redis_db_keys: ${keys}`;
}

async function startTimeOf(cache: Cache): Promise<string> {
  const figures = await until(
    "the exporter's figures",
    () => cache.metrics().catch(String),
    (text) => text.includes("redis_up 1"),
    60_000,
  );
  return /^redis_start_time_seconds (\S+)/m.exec(figures)?.[1] ?? "";
}
