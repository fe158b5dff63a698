/**
 * The resident healer, on what no boot would mend: nothing boots here, and Redis by itself stays as it is.
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
import { addSidecar, usageOf } from "./sidecar-under-test.ts";
import {
  addressOf,
  containersOf,
  createSite,
  nameOf,
  pause,
  type Site,
} from "./site-under-test.ts";

let site: Site;

/** Looking often; and no preStop hook, so that a pod that leaves leaves a ghost. */
function prepare(objects: readonly KubernetesObject[]): void {
  const [node] = containersOf(objects);
  Reflect.deleteProperty(node ?? {}, "lifecycle");
  addSidecar(objects, "--interval", "2s");
}

beforeAll(async () => {
  if (isWanted) site = await createSite({ manifest: "deployment", edit: prepare });
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const restarts = async (): Promise<number> =>
  (await site.pods())
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);

const onAll = (...command: readonly string[]): Promise<readonly string[]> =>
  site.pods().then((pods) => Promise.all(pods.map((pod) => site.redis(pod, ...command))));

onKubernetes(
  "introductions that failed: a node that the others do not know is introduced",
  async () => {
    const beta = await site.podOf("beta");
    const id = (await site.redis(beta, "CLUSTER", "MYID")).trim();
    const others = (await site.pods()).filter((pod) => nameOf(pod) !== nameOf(beta));
    await Promise.all(others.map((pod) => site.redis(pod, "CLUSTER", "FORGET", id)));
    expect((await site.status()).state).not.toBe("whole");
    await site.waitUntilWhole();
    const tables = await onAll("CLUSTER", "NODES");
    expect(tables.every((table) => table.includes(id))).toBe(true);
  },
);

onKubernetes("ghosts after a scale-down without a hand-over: they are forgotten", async () => {
  await site.scale(7);
  await site.waitUntilWhole(7);
  await site.scale(6);
  await pause(2_000);
  await site.waitUntilWhole(6);
  const tables = await onAll("CLUSTER", "NODES");
  expect(tables.map((table) => table.trim().split("\n").length)).toEqual([6, 6, 6, 6, 6, 6]);
});

onKubernetes(
  "addresses that changed under running nodes: all are introduced at their present ones",
  async () => {
    const pods = await site.pods();
    // All links are lost at once, and nobody is left who knows where anybody is.
    await Promise.all(
      pods.map((pod, index) =>
        site.redis(pod, "CONFIG", "SET", "cluster-announce-ip", `192.0.2.${index + 1}`),
      ),
    );
    await until(
      "tables with nobody's address",
      () => onAll("CLUSTER", "NODES"),
      (tables) => tables.every((table) => table.match(/ 192\.0\.2\./g)?.length === 6),
    );
    const announce = (pod: V1Pod) =>
      site.redis(pod, "CONFIG", "SET", "cluster-announce-ip", addressOf(pod));
    await Promise.all(pods.map(announce));
    await site.waitUntilWhole();
    const tables = await onAll("CLUSTER", "NODES");
    expect(tables.every((table) => !table.includes("192.0.2."))).toBe(true);
  },
);

onKubernetes(
  "what it mended and what the nodes did is told at its port, with what the exporter says",
  async () => {
    const pods = await site.pods();
    const read = ({ metadata }: V1Pod) =>
      core.connectGetNamespacedPodProxyWithPath({
        name: `${metadata?.name}:${metadata?.annotations?.["prometheus.io/port"]}`,
        namespace: site.namespace,
        path: "metrics",
      });
    const texts = await Promise.all(pods.map(read));
    for (const text of texts) {
      expect(text).toMatch(/^rekindle_boot_duration_seconds_count{.*outcome="server"} 1$/m);
      expect(text).toMatch(/^rekindle_exporter_up 1$/m);
      expect(text).toMatch(/^redis_up 1$/m);
    }
    // One of them held the Lease at a time.
    expect(texts.join("")).toMatch(/^rekindle_heal_duration_seconds_count{verb="sidecar"} [1-9]/m);
  },
);

onKubernetes("it stays below its 60 MB, and was never restarted", async () => {
  expect(await restarts()).toBe(0);
  const [pod] = await site.pods();
  expect((await usageOf(site, pod as V1Pod)).ownKb).toBeLessThan(60_000);
});
