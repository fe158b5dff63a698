/**
 * A changed ConfigMap on a running cluster: how long it takes until every pod has it, and what needs a restart without an outage.
 */
import { afterAll, beforeAll, expect } from "vitest";
import { until } from "../redis/until.ts";
import {
  core,
  isWanted,
  type KubernetesObject,
  onKubernetes,
  type V1Pod,
} from "./api-under-test.ts";
import { addReload, addSidecar } from "./sidecar-under-test.ts";
import {
  containersOf,
  createSite,
  isReady,
  nameOf,
  type Site,
  serverOf,
} from "./site-under-test.ts";

let site: Site;

function prepare(objects: readonly KubernetesObject[]): void {
  addSidecar(objects, "--interval", "2s");
  addReload(objects);
  // As beside a Sentinel: nobody looks for peers then before something needs a restart, and Events are told all the same.
  for (const { args } of containersOf(objects))
    if (args?.includes("--heal")) args.splice(args.indexOf("--heal"), 1);
}

beforeAll(async () => {
  if (isWanted) site = await createSite({ manifest: "deployment", edit: prepare });
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

/** @returns when the API server had it, in milliseconds since 1970. */
async function addLine(line: string): Promise<number> {
  const name = { name: "redis", namespace: site.namespace };
  const map = await core.readNamespacedConfigMap(name);
  map.data = { "redis.conf": `${map.data?.["redis.conf"]}\n${line}\n` };
  await core.replaceNamespacedConfigMap({ ...name, body: map });
  return Date.now();
}

interface Applied {
  readonly pod: string;
  readonly at: number;
  readonly tookMs: number;
}

/** What the pod's reload says of a change. */
async function findApplied(pod: V1Pod, words: string): Promise<Applied | undefined> {
  const log = await core.readNamespacedPodLog({
    name: nameOf(pod),
    namespace: site.namespace,
    container: "sidecar",
  });
  const line = log.split("\n").find((one) => one.includes('"Reloaded"') && one.includes(words));
  if (line === undefined) return undefined;
  const { time, tookMs } = JSON.parse(line) as { time: string; tookMs: number };
  return { pod: nameOf(pod), at: Date.parse(time), tookMs };
}

onKubernetes(
  "a setting that can be changed live is on every pod, ours in less than a second",
  async () => {
    const since = await addLine("maxmemory-policy volatile-lru");
    const pods = await site.pods();
    const all = await until(
      "every pod's reload",
      () => Promise.all(pods.map((pod) => findApplied(pod, "maxmemory-policy"))),
      (seen) => seen.every((one) => one !== undefined),
      180_000,
    );
    const rows = all.flatMap((one) => (one ? [one] : []));
    for (const { pod, at, tookMs } of rows) {
      const kubelet = ((at - since - tookMs) / 1_000).toFixed(1);
      console.log(`${pod}: the kubelet's part ${kubelet} s, ours ${tookMs} ms`);
    }
    const last = Math.max(...rows.map(({ at }) => at));
    console.log(
      `from kubectl apply to applied on every pod: ${((last - since) / 1_000).toFixed(1)} s`,
    );
    await until(
      "an Event of each",
      async () => (await site.events()).filter((one) => one.startsWith("Reloaded")),
      (events) => events.length === 6,
    );
    for (const pod of pods)
      expect(await site.redis(pod, "CONFIG", "GET", "maxmemory-policy")).toContain("volatile-lru");
    for (const { tookMs } of rows) expect(tookMs).toBeLessThan(1_000);
  },
);

onKubernetes("what needs a restart comes to one node at a time, and no request fails", async () => {
  const load = await site.startLoad();
  await addLine("tcp-backlog 600");
  let mostUnready = 0;
  await until(
    "every server restarted once",
    async () => {
      const pods = await site.pods();
      mostUnready = Math.max(mostUnready, pods.filter((pod) => !isReady(pod)).length);
      return pods.map((pod) => serverOf(pod)?.restartCount ?? 0);
    },
    (counts) => counts.length === 6 && counts.every((count) => count === 1),
    300_000,
  );
  await site.waitUntilWhole();
  for (const pod of await site.pods())
    expect(await site.redis(pod, "CONFIG", "GET", "tcp-backlog")).toContain("600");
  expect(mostUnready).toBeLessThanOrEqual(1);
  const told = await site.events();
  expect(told.filter((one) => one.startsWith("Restarting")).length).toBe(6);
  const { writes, failures, lost, wrongReads, longestMs } = await load.end();
  console.log(`${writes} writes meanwhile, the longest request took ${longestMs} ms`);
  expect({ failures, lost, wrongReads }).toEqual({ failures: [], lost: 0, wrongReads: 0 });
});

onKubernetes(
  "an invalid file is refused by every pod, with the server's words in an Event",
  async () => {
    const restarts = async () => (await site.pods()).map((pod) => serverOf(pod)?.restartCount);
    const before = await restarts();
    await addLine("no-such-setting 1");
    const refused = await until(
      "six refusals",
      async () => (await site.events()).filter((one) => one.startsWith("ReloadRefused")),
      (events) => events.length === 6,
      180_000,
    );
    for (const one of refused) expect(one).toMatch(/'no-such-setting 1'.*Bad directive/);
    expect(await restarts()).toEqual(before);
  },
);
