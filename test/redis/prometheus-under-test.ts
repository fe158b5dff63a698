/**
 * The real exporter and a real Prometheus, from Debian's packages, over real servers: as the manifests and the files beside
 * them configure both.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { dump, load, loadAll } from "js-yaml";
import { until } from "./until.ts";

const isOnPath = (name: string): boolean =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));

/** Without them these tests are skipped; scripts/test.mjs says so. */
export const hasTools = ["prometheus", "promtool", "prometheus-redis-exporter"].every(isOnPath);

const deployment = new URL("../../deployment/", import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, deployment), "utf8");

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  for?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

export const readRules = (): readonly Rule[] =>
  (load(read("metrics/alerts.yaml")) as RuleFile).groups.flatMap(({ rules }) => rules);

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

export const readPanels = (): readonly Panel[] =>
  (JSON.parse(read("metrics/dashboard.json")) as { panels: readonly Panel[] }).panels;

/** What Prometheus scrapes of one pod. */
export interface Target {
  readonly job: "redis" | "redis-sentinel";
  readonly pod: string;
  readonly app: string;
  readonly port: number;
}

/** An address, and what Kubernetes tells of it. */
export interface StaticTarget {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface Processes extends Disposable {
  start(command: string, args: readonly string[], environment?: NodeJS.ProcessEnv): ChildProcess;
  readonly folder: string;
}

/** All of them end with it. */
export function openProcesses(): Processes {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-metrics-"));
  const started: ChildProcess[] = [];
  return {
    folder,
    start(command, args, environment = {}) {
      const child = spawn(command, args, {
        stdio: "ignore",
        env: { PATH: process.env.PATH, ...environment },
      });
      started.push(child);
      return child;
    },
    [Symbol.dispose]() {
      for (const child of started) child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** With the environment that a manifest gives it, but for where it listens, and whom it asks. */
export function startExporter(
  { start }: Processes,
  { port, redisPort, password }: { port: number; redisPort: number; password?: string },
): ChildProcess {
  const environment = {
    ...manifestEnvironment(),
    REDIS_ADDR: `redis://127.0.0.1:${redisPort}`,
    REDIS_EXPORTER_WEB_LISTEN_ADDRESS: `127.0.0.1:${port}`,
    ...(password && { REDIS_PASSWORD: password }),
  };
  return start("prometheus-redis-exporter", ["--log-format", "json"], environment);
}

function manifestEnvironment(): Record<string, string> {
  interface Workload {
    readonly kind: string;
    readonly spec: {
      readonly template: {
        readonly spec: {
          readonly containers: readonly {
            readonly name: string;
            readonly env: readonly { readonly name: string; readonly value?: string }[];
          }[];
        };
      };
    };
  }
  const workload = (loadAll(read("deployment.yaml")) as Workload[]).find(
    ({ kind }) => kind === "Deployment",
  );
  const exporter = workload?.spec.template.spec.containers.find(({ name }) => name === "metrics");
  return Object.fromEntries(
    (exporter?.env ?? []).flatMap(({ name, value }) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}

/** `promtool` with these arguments. @throws with what it says, where it finds something. */
export const promtool = (args: readonly string[], input = ""): string =>
  execFileSync("promtool", args, { input, encoding: "utf8", stdio: "pipe" });

/**
 * The configuration as it is shipped, but for two things: it looks every second, and these targets are told to it as
 * Kubernetes would tell them. Debian's Prometheus is built without the discovery of Kubernetes.
 */
export function writeConfiguration(folder: string, targets: readonly StaticTarget[]): string {
  interface Job {
    readonly job_name: string;
    kubernetes_sd_configs?: unknown;
    static_configs?: unknown;
  }
  const shipped = load(read("metrics/prometheus.yaml")) as {
    global: Record<string, string>;
    scrape_configs: Job[];
  };
  shipped.global = { scrape_interval: "1s", evaluation_interval: "1s" };
  for (const job of shipped.scrape_configs) {
    delete job.kubernetes_sd_configs;
    job.static_configs = targets;
  }
  const rules = load(read("metrics/alerts.yaml")) as RuleFile;
  // How long something must last is not waited for here.
  for (const rule of rules.groups.flatMap((group) => group.rules)) delete rule.for;
  writeFileSync(join(folder, "alerts.yaml"), dump(rules));
  const path = join(folder, "prometheus.yaml");
  writeFileSync(path, dump(shipped));
  return path;
}

export function asKubernetesTellsIt({ job, pod, app, port }: Target): StaticTarget {
  const isSentinel = job === "redis-sentinel";
  return {
    targets: [`127.0.0.1:${port}`],
    labels: {
      __meta_kubernetes_namespace: "test",
      __meta_kubernetes_pod_name: pod,
      __meta_kubernetes_pod_label_app: app,
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: "true",
      // The pod's annotations name its server's exporter.
      __meta_kubernetes_pod_annotation_prometheus_io_port: isSentinel ? "9121" : `${port}`,
      __meta_kubernetes_pod_annotation_prometheus_io_path: "/metrics",
      __meta_kubernetes_pod_container_port_name: isSentinel ? "sentinel-stats" : "metrics",
      __meta_kubernetes_pod_container_port_number: `${port}`,
    },
  };
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}

export interface Prometheus {
  query(expression: string): Promise<readonly Sample[]>;
  /** The names of the alerts that fire now. */
  firing(): Promise<readonly string[]>;
  /** When its rules were evaluated last, in milliseconds since 1970. */
  evaluatedAt(): Promise<number>;
}

export async function startPrometheus(
  processes: Processes,
  port: number,
  targets: readonly Target[],
): Promise<Prometheus> {
  const { start, folder } = processes;
  const configuration = writeConfiguration(folder, targets.map(asKubernetesTellsIt));
  start("prometheus", [
    `--config.file=${configuration}`,
    `--storage.tsdb.path=${join(folder, "tsdb")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=error",
  ]);
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== "success") throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  interface Groups {
    readonly groups: readonly { readonly lastEvaluation: string }[];
  }
  const prometheus: Prometheus = {
    query: async (expression) =>
      (await ask<{ result: readonly Sample[] }>(`query?query=${encodeURIComponent(expression)}`))
        .result,
    async firing() {
      const { alerts } = await ask<{
        alerts: readonly { state: string; labels: Record<string, string> }[];
      }>("alerts");
      return alerts
        .filter(({ state }) => state === "firing")
        .map(({ labels }) => labels.alertname ?? "");
    },
    async evaluatedAt() {
      const { groups } = await ask<Groups>("rules");
      return Math.min(...groups.map(({ lastEvaluation }) => Date.parse(lastEvaluation)));
    },
  };
  const isUp = () =>
    prometheus.query("up").then(
      ({ length }) => length,
      () => 0,
    );
  await until("a scrape of all targets", isUp, (count) => count === targets.length);
  return prometheus;
}
