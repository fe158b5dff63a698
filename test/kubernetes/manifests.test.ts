/**
 * The manifests as they are shipped, and what the nodes make of what these ask for.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  apps,
  coordination,
  core,
  createNamespace,
  evict,
  isWanted,
  objects,
} from "./api-under-test.ts";
import { createSite, isReady, nameOf, type Site } from "./site-under-test.ts";

const hasKubectl = spawnSync("kubectl", ["version", "--client"], { stdio: "ignore" }).status === 0;

test
  .skipIf(!isWanted || !hasKubectl)
  .each(["deployment", "statefulset", "sentinel", "cache-sidecar"])(
  "kubectl create -f %s.yaml takes the file as it is",
  async (manifest) => {
    const namespace = await createNamespace();
    const path = fileURLToPath(new URL(`../../deployment/${manifest}.yaml`, import.meta.url));
    const args = ["create", "--filename", path, "--namespace", namespace, "--dry-run=server"];
    const env = { ...process.env, KUBECONFIG: inject("kubeconfig") };
    const said = execFileSync("kubectl", args, { env, encoding: "utf8" });
    expect(said).toMatch(/(deployment|statefulset)\.apps\/\S+ created \(server dry run\)/);
    await core.deleteNamespace({ name: namespace });
  },
);

describe.skipIf(!isWanted)("a Deployment as it is shipped", () => {
  let site: Site;
  beforeAll(async () => {
    site = await createSite({ manifest: "deployment" });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
  });

  /** The budget, in the version that this Kubernetes knows. */
  async function findBudget() {
    const metadata = { name: "redis", namespace: site.namespace };
    const read = (version: string) =>
      objects.read({ apiVersion: `policy/${version}`, kind: "PodDisruptionBudget", metadata });
    const found = await read("v1").catch(() => read("v1beta1"));
    return found as typeof found & { status?: { disruptionsAllowed?: number } };
  }

  test("of two nodes that are evicted at once, one waits until the other's replacement is in sync", async () => {
    await expect
      .poll(async () => (await findBudget()).status?.disruptionsAllowed, { timeout: 30_000 })
      .toBe(1);
    const [alpha, beta] = [await site.podOf("alpha"), await site.podOf("beta")];
    expect(await evict(alpha)).toBe(201);
    expect(await evict(beta)).toBe(429);
    await expect.poll(() => evict(beta), { timeout: 90_000, interval: 300 }).toBe(201);
    const others = (await site.pods()).filter((pod) => nameOf(pod) !== nameOf(beta));
    expect(others.filter(isReady).length).toBeGreaterThanOrEqual(5);
    await site.waitUntilWhole();
  });

  test("what the nodes made ends with the Deployment", async () => {
    const { namespace } = site;
    expect(
      (await coordination.readNamespacedLease({ name: "redis", namespace })).spec,
    ).toBeDefined();
    await apps.deleteNamespacedDeployment({ name: "redis", namespace });
    const isGone = async (asked: Promise<unknown>) =>
      asked.then(
        () => false,
        ({ code }) => code === 404,
      );
    await expect
      .poll(() => isGone(coordination.readNamespacedLease({ name: "redis", namespace })), {
        timeout: 60_000,
      })
      .toBe(true);
    await expect.poll(() => isGone(findBudget()), { timeout: 60_000 }).toBe(true);
  });
});
