/**
 * Rule 6 on Kubernetes: an address that was another cluster's a moment ago merges nothing.
 */
import { expect } from "vitest";
import { holdAddressesBelow } from "./addresses-under-test.ts";
import { core, onKubernetes } from "./api-under-test.ts";
import { addressOf, createSite, nameOf, pause, type Site } from "./site-under-test.ts";

/** Every id that any node of the site knows. */
async function knownIds(site: Site): Promise<ReadonlySet<string>> {
  const tables = await Promise.all(
    (await site.pods()).map((pod) => site.redis(pod, "CLUSTER", "NODES")),
  );
  return new Set(tables.flatMap((text) => text.match(/^[0-9a-f]{40}/gm) ?? []));
}

onKubernetes(
  "two Deployments side by side, a pod of one gets the address of a pod of the other: they never merge",
  async () => {
    await using one = await createSite({ manifest: "deployment" });
    await using other = await createSite({ manifest: "deployment" });
    // Out of its Deployment, which makes another; then gone without a word, so that its address is still in its cluster's
    // tables.
    const stray = await one.podOf("beta");
    await core.patchNamespacedPod({
      name: nameOf(stray),
      namespace: one.namespace,
      body: [{ op: "remove", path: "/metadata/labels/app" }],
    });
    await one.waitUntilReady(6);
    await using _ = await holdAddressesBelow(addressOf(stray));
    await one.delete(stray, { force: true });
    await pause(1_000);

    const wanted = addressOf(stray);
    let nodes = 6;
    const hasIt = async () => (await other.pods()).some((pod) => addressOf(pod) === wanted);
    while (!(await hasIt()) && nodes < 12) {
      await other.scale(++nodes);
      await other.waitUntilWhole(nodes);
    }
    expect(await hasIt(), `a pod of the other cluster at ${wanted}`).toBe(true);

    // Another node starts in each, and finds the tables as they are.
    await other.scale(++nodes);
    await one.scale(7);
    await other.waitUntilWhole(nodes);
    await one.waitUntilWhole(7);
    const [ids, otherIds] = [await knownIds(one), await knownIds(other)];
    expect(ids.size).toBe(7);
    expect(otherIds.size).toBe(nodes);
    expect([...ids].filter((id) => otherIds.has(id))).toEqual([]);
  },
);
