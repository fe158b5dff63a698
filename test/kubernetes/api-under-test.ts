/**
 * The Kubernetes under test, through its official client.
 */
import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import {
  AppsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  type V1Pod,
  type V1Status,
  VersionApi,
} from "@kubernetes/client-node";
import { inject, test } from "vitest";
import { until } from "../redis/until.ts";

export const isWanted = inject("kubeconfig") !== "";

/** Skips where no Kubernetes was asked for. */
export const onKubernetes = test.skipIf(!isWanted);

const config = new KubeConfig();
if (isWanted) config.loadFromFile(inject("kubeconfig"));

const client = <T>(make: () => T): T => (isWanted ? make() : (undefined as T));
export const core = client(() => config.makeApiClient(CoreV1Api));
export const apps = client(() => config.makeApiClient(AppsV1Api));
export const coordination = client(() => config.makeApiClient(CoordinationV1Api));
export const version = client(() => config.makeApiClient(VersionApi));
export const objects = client(() => KubernetesObjectApi.makeApiClient(config));

export type { KubernetesObject, V1Pod };

/** A namespace of the test's own, in which pods can be made. */
export async function createNamespace(): Promise<string> {
  const name = `rekindle-${randomBytes(4).toString("hex")}`;
  await core.createNamespace({ body: { metadata: { name } } });
  // Every pod has an account, and Kubernetes makes the default one a moment later.
  const account = { name: "default", namespace: name };
  await until(
    "the default service account",
    () => core.readNamespacedServiceAccount(account).catch(() => undefined),
    (found) => found !== undefined,
  );
  return name;
}

/** Runs a command in a pod's first container. @throws where its exit code is not zero. */
export async function execIn(
  namespace: string,
  pod: string,
  container: string,
  command: readonly string[],
): Promise<string> {
  const { output, exitCode } = await tryIn(namespace, pod, container, command);
  if (exitCode !== 0)
    throw new Error(`${command.join(" ")} in ${pod} ended with ${exitCode}: ${output}`);
  return output;
}

export async function tryIn(
  namespace: string,
  pod: string,
  container: string,
  command: readonly string[],
): Promise<{ output: string; exitCode: number }> {
  const stream = new PassThrough();
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  const status = await new Promise<V1Status>((resolve, reject) => {
    new Exec(config)
      .exec(namespace, pod, container, [...command], stream, stream, null, false, resolve)
      .then((socket) => socket.on("error", reject), reject);
  });
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  const exitCode = status.status === "Success" ? 0 : Number(cause?.message ?? 1);
  return { output: Buffer.concat(parts).toString(), exitCode };
}

/** Asks Kubernetes to evict a pod, as draining a machine does. @returns the HTTP status: 201, or 429 while the budget forbids it. */
export async function evict({ metadata }: V1Pod): Promise<number> {
  const at = { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
  const ask = (version: string) =>
    core
      .createNamespacedPodEviction({
        ...at,
        body: { apiVersion: `policy/${version}`, kind: "Eviction", metadata: at },
      })
      .then(
        () => 201,
        ({ code }: { code: number }) => code,
      );
  const status = await ask("v1");
  // Up to 1.21 evictions are policy/v1beta1.
  return status === 201 || status === 429 ? status : ask("v1beta1");
}
