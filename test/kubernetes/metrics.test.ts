/**
 * What Prometheus reads of the pods: their exporters as the manifests have them, found as its configuration says.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type StaticTarget, writeConfiguration } from "../redis/prometheus-under-test.ts";
import { until } from "../redis/until.ts";
import {
  core,
  execIn,
  isWanted,
  type KubernetesObject,
  objects,
  type V1Pod,
} from "./api-under-test.ts";
import { addressOf, createSite, nameOf, pause, type Site } from "./site-under-test.ts";

let site: Site;

/** As Prometheus' own discovery tells of a pod: one target for each port that a container declares. */
const targetsOf = (pod: V1Pod): readonly StaticTarget[] =>
  (pod.spec?.containers ?? []).flatMap(({ name, ports = [] }) =>
    ports.map((port) => ({
      targets: [`${addressOf(pod)}:${port.containerPort}`],
      labels: {
        __meta_kubernetes_namespace: site.namespace,
        __meta_kubernetes_pod_name: nameOf(pod),
        __meta_kubernetes_pod_container_name: name,
        __meta_kubernetes_pod_container_port_name: port.name ?? "",
        __meta_kubernetes_pod_container_port_number: `${port.containerPort}`,
        ...prefixed("__meta_kubernetes_pod_label_", pod.metadata?.labels),
        ...prefixed("__meta_kubernetes_pod_annotation_", pod.metadata?.annotations),
      },
    })),
  );

const prefixed = (prefix: string, values: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [prefix + name.replace(/\W/g, "_"), value]),
  );

/** Prometheus in a pod of its own, with these targets. */
async function startPrometheus(targets: readonly StaticTarget[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-prometheus-"));
  writeConfiguration(folder, targets);
  const file = (name: string) => [name, readFileSync(join(folder, name), "utf8")];
  const metadata = { name: "prometheus", namespace: site.namespace };
  const data = Object.fromEntries([file("prometheus.yaml"), file("alerts.yaml")]);
  rmSync(folder, { recursive: true });
  await objects.create({ apiVersion: "v1", kind: "ConfigMap", metadata, data } as KubernetesObject);
  const container = {
    name: "prometheus",
    image: inject("testImages").metrics,
    imagePullPolicy: "IfNotPresent",
    command: ["prometheus", "--config.file=/etc/p/prometheus.yaml", "--storage.tsdb.path=/tmp/p"],
    volumeMounts: [{ name: "config", mountPath: "/etc/p" }],
  };
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [container],
    volumes: [{ name: "config", configMap: { name: "prometheus" } }],
  };
  await objects.create({ apiVersion: "v1", kind: "Pod", metadata, spec } as KubernetesObject);
}

type Sample = {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: [number, string];
};

async function query(expression: string): Promise<readonly Sample[]> {
  const command = [
    "promtool",
    "query",
    "instant",
    "-o",
    "json",
    "http://127.0.0.1:9090",
    expression,
  ];
  return JSON.parse(await execIn(site.namespace, "prometheus", "prometheus", command));
}

interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly state: string;
}

async function readRuleStates(): Promise<readonly RuleState[]> {
  const at = { name: "prometheus:9090", namespace: site.namespace, path: "api/v1/rules" };
  const answer: unknown = await core.connectGetNamespacedPodProxyWithPath(at);
  const { data } = (typeof answer === "string" ? JSON.parse(answer) : answer) as {
    data: { groups: readonly { rules: readonly RuleState[] }[] };
  };
  return data.groups.flatMap(({ rules }) => rules);
}

describe.skipIf(!isWanted)("a Deployment as it is shipped", () => {
  beforeAll(async () => {
    site = await createSite({ manifest: "deployment" });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
  });

  test("each pod's exporter tells of its own server", async () => {
    for (const pod of await site.pods()) {
      const at = { name: `${nameOf(pod)}:9121`, namespace: site.namespace, path: "metrics" };
      const text = await core.connectGetNamespacedPodProxyWithPath(at);
      expect(text).toMatch(/^redis_up 1$/m);
      expect(text).toMatch(/^redis_cluster_slots_ok 16384$/m);
      expect(text).toMatch(/^redis_memory_max_bytes 8.388608e\+07$/m);
    }
  });

  test("Prometheus finds one target a pod, and no alert fires", async () => {
    const pods = await site.pods();
    await startPrometheus(pods.flatMap(targetsOf));
    const isFound = async () => {
      await pause(1_000);
      return query("redis_up == 1").catch(() => []);
    };
    const found = await until("six targets", isFound, (samples) => samples.length === 6, 120_000);
    expect(found.map(({ metric }) => metric.pod).sort()).toEqual(pods.map(nameOf).sort());
    expect(new Set(found.map(({ metric }) => metric.app))).toEqual(new Set(["redis"]));
    expect(await query("up")).toHaveLength(6);
    const evaluated = await until(
      "rules that were evaluated",
      async () => {
        await pause(1_000);
        return readRuleStates();
      },
      (rules) => rules.length > 20 && rules.every(({ health }) => health === "ok"),
    );
    expect(evaluated.filter(({ state }) => state !== "inactive")).toEqual([]);
  });
});
