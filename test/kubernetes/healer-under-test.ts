/**
 * The resident healer, as its kustomize component adds it to a manifest.
 */
import { readFileSync } from "node:fs";
import { loadYaml } from "@kubernetes/client-node";
import { inject } from "vitest";
import { execIn, type KubernetesObject, type V1Pod } from "./api-under-test.ts";
import { nameOf, type Site } from "./site-under-test.ts";

/** @param more arguments besides the component's own. */
export function addHealer(objects: readonly KubernetesObject[], ...more: readonly string[]): void {
  const path = new URL("../../deployment/healer/sidecar.yaml", import.meta.url);
  const [{ value }] = loadYaml<[{ value: { args: string[] } }]>(readFileSync(path, "utf8"));
  const deployment = objects.find(({ kind }) => kind === "Deployment") as unknown as {
    spec: { template: { spec: { containers: unknown[] } } };
  };
  deployment.spec.template.spec.containers.push({
    ...value,
    image: inject("testImages").image,
    args: [...value.args, ...more],
  });
}

export interface Usage {
  /** CPU time since its start, in milliseconds. */
  readonly cpuMs: number;
  /** Memory of its own, without the executable's pages, which all on the machine share, in kB. */
  readonly ownKb: number;
}

/** What the healer of this pod has used, as the kernel counts it. */
export async function usageOf(site: Site, pod: V1Pod): Promise<Usage> {
  const read = (file: string) => execIn(site.namespace, nameOf(pod), "healer", ["cat", file]);
  const status = await read("/proc/1/status");
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]);
  // Fields 14 and 15, in hundredths of a second; the second field, the name, may hold spaces.
  const [, rest = ""] = /\) (.*)/.exec(await read("/proc/1/stat")) ?? [];
  const ticks = rest.split(" ").slice(11, 13).map(Number);
  return {
    cpuMs: ((ticks[0] ?? 0) + (ticks[1] ?? 0)) * 10,
    ownKb: field("VmRSS") - field("RssFile"),
  };
}
