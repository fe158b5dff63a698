/**
 * `rekindle status` inside a pod, and what `kubectl describe pod` shows.
 */
import { expect } from "vitest";
import type { Status } from "../../src/status/describe-status.ts";
import { onKubernetes, type V1Pod } from "./api-under-test.ts";
import { addressOf, createSite, nameOf } from "./site-under-test.ts";

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

onKubernetes(
  "drain in a pod that is not ending is harmless: an alpha hands over and stays a beta, a beta stays one",
  async () => {
    await using site = await createSite({ manifest: "deployment" });
    const alpha = await site.podOf("alpha");
    for (const find of [() => alpha, () => alpha, () => site.podOf("beta")]) {
      const { exitCode, output } = await site.exec(await find(), "rekindle", "drain");
      expect(exitCode, output).toBe(0);
      expect(output).toContain("this node has no slots and stays a beta: its pod is not ending");
      await site.waitUntilWhole();
      const { shards } = await site.status();
      expect(shards.map(({ betas }) => betas.length)).toEqual([1, 1, 1]);
    }
    const alphas = (await site.status()).shards.map((shard) => shard.alpha.address);
    expect(alphas).not.toContain(`${addressOf(alpha)}:6379`);
  },
);
