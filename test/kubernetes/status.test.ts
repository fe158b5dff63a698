/**
 * `rekindle status` inside a pod, and what `kubectl describe pod` shows.
 */
import { expect } from "vitest";
import type { Status } from "../../src/status/describe-status.ts";
import { onKubernetes, type V1Pod } from "./api-under-test.ts";
import { createSite, nameOf } from "./site-under-test.ts";

onKubernetes(
  "status inside a pod shows pods, Kubernetes nodes and templates, and warns of a shared machine",
  async () => {
    await using site = await createSite({ manifest: "deployment" });
    const pods = await site.pods();
    const [pod] = pods;
    const { output, exitCode } = await site.exec(pod as V1Pod, "rekindle", "status", "--json");
    expect(exitCode, output).toBe(0);
    const { state, shards, warnings } = JSON.parse(output) as Status;
    expect(state).toBe("whole");
    const nodes = shards.flatMap(({ alpha, betas }) => [alpha, ...betas]);
    expect(nodes.map(({ name }) => name).sort()).toEqual(pods.map(nameOf).sort());
    expect(new Set(nodes.map(({ kubernetesNode }) => kubernetesNode))).toEqual(
      new Set(pods.map(({ spec }) => spec?.nodeName)),
    );
    expect(new Set(nodes.map(({ template }) => template))).toEqual(
      new Set(pods.map(({ metadata }) => metadata?.labels?.["pod-template-hash"])),
    );
    const machines = new Set(pods.map(({ spec }) => spec?.nodeName));
    if (machines.size === 1)
      expect(warnings.join()).toMatch(/all nodes run on one Kubernetes node/);

    const picture = await site.exec(pod as V1Pod, "rekindle", "status");
    expect(picture.output).toContain(nameOf(pod as V1Pod));
    expect(picture.output).toMatch(/on \S+, [0-9a-z]+/);
  },
);

onKubernetes("drain on a beta, twice, and after its end is harmless", async () => {
  await using site = await createSite({ manifest: "deployment" });
  const beta = await site.podOf("beta");
  const first = await site.exec(beta, "rekindle", "drain");
  expect(first.exitCode, first.output).toBe(0);
  const second = await site.exec(beta, "rekindle", "drain");
  expect(second.exitCode, second.output).toBe(0);
  // Its pod was not to end: the healing of the next one that starts, or of a sidecar, takes it back.
  expect((await site.status()).slotsServed).toBe(16_384);
});
