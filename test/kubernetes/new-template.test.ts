/**
 * `--on-new-template fresh`: every template is a cluster of its own.
 */
import { expect, inject } from "vitest";
import { type KubernetesObject, onKubernetes } from "./api-under-test.ts";
import { containersOf, createSite, nameOf, pause } from "./site-under-test.ts";

/** A new cluster needs all its nodes at once. */
function makeFresh(objects: readonly KubernetesObject[]): void {
  for (const container of containersOf(objects))
    container.env?.push({ name: "REKINDLE_ON_NEW_TEMPLATE", value: "fresh" });
  const deployment = objects.find(({ kind }) => kind === "Deployment") as unknown as {
    spec: { strategy: { rollingUpdate: { maxSurge: string } } };
  };
  deployment.spec.strategy.rollingUpdate.maxSurge = "100%";
}

onKubernetes(
  "a new template founds a cluster of its own, empty, beside the one that ends",
  async () => {
    await using site = await createSite({ manifest: "deployment", edit: makeFresh });
    await site.redis(await site.podOf("alpha"), "-c", "SET", "here", "before");
    const before = await site.pods();
    const known = await site.redis(before[0] as (typeof before)[0], "CLUSTER", "NODES");
    await site.setImage(inject("testImages").nextImage);
    const old = new Set(before.map(nameOf));
    const oldLeft = async () => (await site.pods()).filter((pod) => old.has(nameOf(pod))).length;
    await pause(2_000);
    await expect.poll(oldLeft, { timeout: 240_000, interval: 1_000 }).toBe(0);
    await site.waitUntilWhole();
    const alpha = await site.podOf("alpha");
    expect(await site.redis(alpha, "-c", "GET", "here")).toBe("\n");
    const ids = (await site.redis(alpha, "CLUSTER", "NODES")).match(/^[0-9a-f]{40}/gm) ?? [];
    expect(ids).toHaveLength(6);
    expect(ids.filter((id) => known.includes(id))).toEqual([]);
    const events = await site.events();
    expect(events.filter((event) => event.startsWith("Founded"))).toHaveLength(2);
    // Nothing was lost that was to be kept.
    expect(events.filter((event) => event.startsWith("DataLost"))).toEqual([]);
  },
);
