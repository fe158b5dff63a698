/**
 * All pods of a cluster end at the same moment.
 */
import { expect } from "vitest";
import { until } from "../redis/until.ts";
import { holdAddresses } from "./addresses-under-test.ts";
import { type KubernetesObject, onKubernetes } from "./api-under-test.ts";
import {
  addressOf,
  createSite,
  nameOf,
  pause,
  podTemplatesOf,
  type Site,
  serverOf,
} from "./site-under-test.ts";

/** Until Kubernetes says that all six run. */
async function waitUntilAllRun(site: Site, before: ReadonlySet<string | undefined>): Promise<void> {
  await until(
    "six running pods",
    async () => {
      await pause(200);
      return (await site.pods()).filter(
        (pod) => !before.has(pod.metadata?.uid) && serverOf(pod)?.state?.running !== undefined,
      ).length;
    },
    (count) => count === 6,
    240_000,
  );
}

/** As it is shipped: six hand-overs at once take more than other tests leave to them. */
function withGracePeriod(all: readonly KubernetesObject[]): void {
  for (const { spec } of podTemplatesOf(all)) spec.terminationGracePeriodSeconds = 60;
}

onKubernetes(
  "a StatefulSet's pods, every address new: all data is there, whole at most 10 s after the last pod runs",
  async () => {
    // Released, they are lower than the site's: its next pods get these.
    const others = await holdAddresses(6);
    await using site = await createSite({ manifest: "statefulset" });
    await others.release();
    const load = await site.startLoad();
    const old = await site.pods();
    const before = new Map(old.map((pod) => [nameOf(pod), addressOf(pod)]));
    await Promise.all(old.map((pod) => site.delete(pod)));
    await waitUntilAllRun(site, new Set(old.map(({ metadata }) => metadata?.uid)));
    expect(await site.waitUntilWhole()).toBeLessThan(10_000);
    const { lost, wrongReads } = await load.end();
    expect({ lost, wrongReads }).toEqual({ lost: 0, wrongReads: 0 });
    const moved = (await site.pods()).filter((pod) => before.get(nameOf(pod)) !== addressOf(pod));
    expect(moved).toHaveLength(6);
    expect((await site.events()).filter((event) => event.startsWith("Founded"))).toHaveLength(1);
  },
);

onKubernetes(
  "a Deployment's pods by force: a new cluster founds itself, and an Event says that the data is gone",
  async () => {
    await using site = await createSite({ manifest: "deployment" });
    await site.redis(await site.podOf("alpha"), "-c", "SET", "here", "before");
    await Promise.all((await site.pods()).map((pod) => site.delete(pod, { force: true })));
    await pause(2_000);
    await site.waitUntilWhole();
    expect(await site.redis(await site.podOf("alpha"), "-c", "GET", "here")).toBe("\n");
    const events = (await site.events()).join("\n");
    expect(events).toMatch(
      /DataLost: founding anew: the cluster that was founded at .* is gone with all its data/,
    );
  },
);

onKubernetes(
  "a Deployment's pods with their grace period: the new pods copy what the old ones hold, and nothing is lost",
  async () => {
    await using site = await createSite({ manifest: "deployment", edit: withGracePeriod });
    const load = await site.startLoad();
    await Promise.all((await site.pods()).map((pod) => site.delete(pod)));
    await pause(2_000);
    await site.waitUntilWhole(6, 240_000);
    const { lost, wrongReads, failures } = await load.end();
    expect({ lost, wrongReads, failures }).toEqual({ lost: 0, wrongReads: 0, failures: [] });
    expect((await site.events()).filter((event) => event.startsWith("Founded"))).toHaveLength(1);
  },
);
