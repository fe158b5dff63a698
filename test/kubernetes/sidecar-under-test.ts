/**
 * The resident sidecar, as its kustomize component adds it to a manifest.
 */
import { readFileSync } from "node:fs";
import { loadYaml } from "@kubernetes/client-node";
import { inject } from "vitest";
import { execIn, type KubernetesObject, type V1Pod } from "./api-under-test.ts";
import { containersOf, nameOf, type Site } from "./site-under-test.ts";

interface Patch {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

/** @param more arguments besides the component's own. */
export function addSidecar(objects: readonly KubernetesObject[], ...more: readonly string[]): void {
  const path = new URL("../../deployment/sidecar/sidecar.yaml", import.meta.url);
  const workload = objects.find(({ kind }) => /^(Deployment|StatefulSet)$/.test(kind ?? ""));
  for (const patch of loadYaml<Patch[]>(readFileSync(path, "utf8"))) apply(patch, workload);
  const sidecar = containersOf(objects).find(({ name }) => name === "sidecar");
  sidecar?.args?.push(...more);
  Object.assign(sidecar ?? {}, { image: inject("testImages").image });
}

interface MergePatch {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly [Record<string, unknown[]>] };
    };
  };
}

/** As the component `reload` changes it: what has a name or a path of its own is merged by that. */
export function addReload(objects: readonly KubernetesObject[]): void {
  const path = new URL("../../deployment/reload/reload.yaml", import.meta.url);
  const [patch] = loadYaml<MergePatch>(readFileSync(path, "utf8")).spec.template.spec.containers;
  const sidecar = containersOf(objects).find(({ name }) => name === "sidecar") as unknown as Record<
    string,
    unknown
  >;
  for (const list of ["env", "volumeMounts"]) {
    const keyOf = (one: unknown) =>
      (one as Record<string, string>)[list === "env" ? "name" : "mountPath"];
    const merged = new Map(
      [...(sidecar[list] as unknown[]), ...(patch[list] ?? [])].map((one) => [keyOf(one), one]),
    );
    sidecar[list] = [...merged.values()];
  }
  sidecar.resources = patch.resources;
}

/** As kustomize does it (RFC 6902), of the two that are used. */
function apply({ op, path, value }: Patch, document: unknown): void {
  const keys = path
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/"));
  const last = keys.pop() ?? "";
  const parent = keys.reduce((at, key) => (at as Record<string, unknown>)[key], document);
  if (last === "-") (parent as unknown[]).push(value);
  else if (op === "replace" && !Object.hasOwn(parent as object, last))
    throw new Error(`there is no ${path} to replace`);
  else (parent as Record<string, unknown>)[last] = value;
}

export interface Usage {
  /** CPU time since its start, in milliseconds. */
  readonly cpuMs: number;
  /** Memory of its own, without the executable's pages, which all on the machine share, in kB. */
  readonly ownKb: number;
}

/** What the sidecar of this pod has used, as the kernel counts it. */
export async function usageOf(site: Site, pod: V1Pod): Promise<Usage> {
  const read = (file: string) => execIn(site.namespace, nameOf(pod), "sidecar", ["cat", file]);
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
