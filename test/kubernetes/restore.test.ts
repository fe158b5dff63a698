/**
 * A cluster in memory only, all of whose pods are gone at once, and a store that has a snapshot of it.
 */
import { expect } from "vitest";
import { type KubernetesObject, onKubernetes } from "./api-under-test.ts";
import { createSite, pause, podTemplatesOf, type Site } from "./site-under-test.ts";

const keys = 300;
const access = "export REDISCLI_AUTH=$(cat /etc/redis-secret/password)";

/** A volume that every pod has at /store, in place of an object store. */
function withStore(all: readonly KubernetesObject[]): void {
  for (const { spec } of podTemplatesOf(all)) {
    spec.volumes.push({ name: "store", persistentVolumeClaim: { claimName: "store" } });
    const [redis] = spec.containers;
    redis?.volumeMounts?.push({ name: "store", mountPath: "/store" });
    redis?.env?.push({ name: "REKINDLE_RESTORE_FROM", value: "file:///store" });
  }
  const namespace = all[0]?.metadata?.namespace;
  const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "store", namespace },
    spec,
  };
  (all as KubernetesObject[]).unshift(claim as KubernetesObject);
}

async function countKeys(site: Site): Promise<number> {
  const count = `${access}
    for i in $(seq ${keys}); do echo GET key:$i; done | redis-cli -c | grep -cx 'value-[0-9]*'`;
  const { output } = await site.exec(await site.podOf("alpha"), "sh", "-c", count);
  return Number(output);
}

onKubernetes("every pod of a cluster is gone: all keys come back from the store", async () => {
  await using site = await createSite({ manifest: "deployment", edit: withStore });
  const write = `${access}
    for i in $(seq ${keys}); do echo SET key:$i value-$i; done | redis-cli -c >/dev/null
    rekindle backup --to file:///store --connect 127.0.0.1:6379`;
  const { output, exitCode } = await site.exec(await site.podOf("alpha"), "sh", "-c", write);
  expect(exitCode, output).toBe(0);
  expect(await countKeys(site)).toBe(keys);
  const old = await site.pods();
  await Promise.all(old.map((pod) => site.delete(pod, { force: true })));
  await pause(2_000);
  await site.waitUntilWhole();
  expect(await countKeys(site)).toBe(keys);
  const events = await site.events();
  expect(events.filter((event) => /^Restored: slots \S+ are restored/.test(event))).toHaveLength(3);
});
