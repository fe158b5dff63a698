/**
 * The manifests against the schema of a current Kubernetes, as its official client has it. Against 1.20 they are held by the
 * tests that create them there.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as kubernetes from "@kubernetes/client-node";
import { loadAll } from "js-yaml";
import { describe, expect, onTestFinished, test } from "vitest";

type Model = { getAttributeTypeMap(): { name: string; baseName: string; type: string }[] };
const models = kubernetes as unknown as Readonly<Record<string, Model | undefined>>;

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const read = (file: string): Manifest[] =>
  loadAll(readFileSync(new URL(`../../deployment/${file}`, import.meta.url), "utf8")) as Manifest[];

/** `apps/v1` Deployment → V1Deployment, as the client's generator names its models. */
function modelOf({ apiVersion, kind }: Manifest): string {
  const version = apiVersion.split("/").at(-1) ?? "";
  return `${version.charAt(0).toUpperCase()}${version.slice(1)}${kind}`;
}

/** What the schema does not know or wants otherwise, each with its path. */
function faults(value: unknown, type: string, path: string): readonly string[] {
  const inner = /^Array<(.*)>$/.exec(type)?.[1];
  if (inner !== undefined)
    return Array.isArray(value)
      ? value.flatMap((one, index) => faults(one, inner, `${path}[${index}]`))
      : [`${path} is no list`];
  const values = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (values !== undefined)
    return Object.entries(value as object).flatMap(([key, one]) =>
      faults(one, values, `${path}.${key}`),
    );
  const model = models[type];
  if (model?.getAttributeTypeMap === undefined) return primitiveFaults(value, type, path);
  const known = new Map(model.getAttributeTypeMap().map((one) => [one.baseName, one.type]));
  return Object.entries(value as object).flatMap(([key, one]) => {
    const own = known.get(key);
    return own === undefined
      ? [`${path}.${key} is unknown to ${type}`]
      : faults(one, own, `${path}.${key}`);
  });
}

function primitiveFaults(value: unknown, type: string, path: string): readonly string[] {
  if (type === "any" || type === "IntOrString") return [];
  return typeof value === type ? [] : [`${path} is a ${typeof value}, not a ${type}`];
}

/** Those of a cluster. */
const files = ["deployment.yaml", "statefulset.yaml", "sentinel.yaml"];

describe.each(files)("%s", (file) => {
  const manifests = read(file);

  test("every object and field is known to a current Kubernetes", () => {
    const found = manifests.flatMap((manifest) => {
      const type = modelOf(manifest);
      return models[type] === undefined
        ? [`${type} is unknown`]
        : faults(manifest, type, manifest.kind);
    });
    expect(found).toEqual([]);
  });

  test("it is complete", () => {
    const kinds = manifests.map(({ kind }) => kind);
    expect(kinds).toEqual(
      expect.arrayContaining([
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "Secret",
        "ConfigMap",
        "Service",
        "NetworkPolicy",
      ]),
    );
    // No manifest of a disruption budget is right for both: the nodes make it.
    expect(JSON.stringify(manifests)).toContain(
      '{"name":"REKINDLE_DISRUPTION_BUDGET","value":"1"}',
    );
    expect(kinds).not.toContain("ClusterRole");
  });
});

describe("metrics", () => {
  interface Container {
    readonly name: string;
    readonly image: string;
    readonly ports?: readonly { readonly containerPort: number }[];
    readonly resources: { readonly requests: unknown; readonly limits: unknown };
  }
  const templateIn = (file: string) => {
    type Workload = Manifest & {
      spec: {
        template: {
          metadata: { annotations: Readonly<Record<string, string>> };
          spec: { containers: readonly Container[] };
        };
      };
    };
    const workload = read(file).find(({ kind }) => /Deployment|StatefulSet/.test(kind));
    return (workload as Workload).spec.template;
  };

  test.each(files)(
    "%s: the annotation names the exporter's port, which the policy lets in",
    (file) => {
      const { metadata, spec } = templateIn(file);
      const exporter = spec.containers.find(({ name }) => name === "metrics");
      const port = exporter?.ports?.[0]?.containerPort;
      expect(metadata.annotations["prometheus.io/port"]).toBe(`${port}`);
      const policy = read(file).find(({ kind }) => kind === "NetworkPolicy");
      expect(JSON.stringify(policy)).toContain(`{"ports":[{"port":${port}}]}`);
    },
  );

  test.each(files)("%s: all requests are limits, so that the pod is evicted last", (file) => {
    for (const { resources } of templateIn(file).spec.containers)
      expect(resources.requests).toEqual(resources.limits);
  });

  test("all name the same exporter", () => {
    const images = files.map(
      (file) => templateIn(file).spec.containers.find(({ name }) => name === "metrics")?.image,
    );
    const [{ images: renamed }] = read("kustomization.yaml") as unknown as [
      { images: readonly { name: string; newTag: string }[] },
    ];
    const exporter = renamed.find(({ name }) => name.includes("exporter"));
    expect(new Set(images)).toEqual(new Set([`${exporter?.name}:${exporter?.newTag}`]));
  });

  test("the sidecar's component turns the annotation to a port that it serves and the policy lets in", () => {
    const [add, replace] = (
      read("sidecar/sidecar.yaml") as unknown as [
        readonly { path: string; value: Container & string }[],
      ]
    )[0];
    expect(add?.value.ports?.[0]?.containerPort).toBe(Number(replace?.value));
    expect(replace?.path).toMatch(/prometheus\.io~1port$/);
    expect(JSON.stringify(read("sidecar/kustomization.yaml"))).toContain(`port: ${replace?.value}`);
  });
});

describe("cache-sidecar.yaml", () => {
  interface Pod {
    readonly securityContext: object;
    readonly containers: readonly {
      readonly resources: { readonly requests: unknown; readonly limits: unknown };
      readonly securityContext: object;
      readonly volumeMounts?: readonly { readonly name: string }[];
    }[];
  }
  const podIn = (file: string): Pod => {
    const workload = read(file).find(({ kind }) => /Deployment|StatefulSet/.test(kind));
    return (workload as Manifest & { spec: { template: { spec: Pod } } }).spec.template.spec;
  };
  /** With the lines in force that are put in the place of others. */
  const withVolume = (): string =>
    readFileSync(new URL("../../deployment/cache-sidecar.yaml", import.meta.url), "utf8")
      .replace(/^ *- name: data\n *emptyDir: \{\}\n/m, "")
      .replace(/^ {2}# volumeClaimTemplates:[\s\S]*/m, (lines) => lines.replace(/^ {2}# /gm, "  "));

  test.each([
    ["as it is", () => read("cache-sidecar.yaml")],
    ["with its claim", () => loadAll(withVolume()) as Manifest[]],
  ])("every object and field is known to a current Kubernetes, %s", (_, make) => {
    const found = make().flatMap((one) => faults(one, modelOf(one), one.kind));
    expect(found).toEqual([]);
    expect(make().map(({ kind }) => kind)).toContain("StatefulSet");
  });

  test("it is as strict as the others, and all requests are limits", () => {
    const [own, other] = [podIn("cache-sidecar.yaml"), podIn("deployment.yaml")];
    expect(own.securityContext).toEqual(other.securityContext);
    for (const { resources, securityContext } of own.containers) {
      expect(resources.requests).toEqual(resources.limits);
      expect(securityContext).toEqual(other.containers[0]?.securityContext);
    }
  });

  const hasMake = spawnSync("make", ["--version"]).status === 0;

  test.skipIf(!hasMake)("make alone prints the help, and each target knows what to do", () => {
    const folder = new URL("../../deployment/", import.meta.url);
    const make = (...args: readonly string[]) =>
      execFileSync("make", ["--no-print-directory", ...args], { cwd: folder, encoding: "utf8" });
    for (const target of ["load", "reload", "deploy", "delete", "clean", "show"]) {
      expect(make()).toMatch(new RegExp(`^  make ${target} +\\w`, "m"));
      expect(make("--dry-run", target)).toMatch(/kubectl|docker|npm run image/);
    }
  });
});

test("a field that does not exist is found", () => {
  const [first] = read("deployment.yaml");
  expect(faults({ ...first, wrong: true }, "V1ServiceAccount", "it")).toEqual([
    "it.wrong is unknown to V1ServiceAccount",
  ]);
});

const kustomize = (folder: string) =>
  spawnSync("kubectl", ["kustomize", folder], { encoding: "utf8", timeout: 30_000 });
const shippedFolder = fileURLToPath(new URL("../../deployment", import.meta.url));

// kubectl 1.21 or later: before it knows no components.
describe.skipIf(kustomize(shippedFolder).status !== 0)("kubectl kustomize", () => {
  interface Container {
    readonly name: string;
    readonly env?: readonly { readonly name: string; readonly value?: string }[];
  }

  /** The containers' environments, as it builds them of the shipped files with these words replaced. */
  function build(...words: readonly (readonly [string, string])[]) {
    const folder = mkdtempSync(join(tmpdir(), "rekindle-kustomize-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    cpSync(shippedFolder, folder, { recursive: true });
    const file = join(folder, "kustomization.yaml");
    const text = words.reduce(
      (all, [from, to]) => all.replace(from, to),
      readFileSync(file, "utf8"),
    );
    writeFileSync(file, text);
    const built = loadAll(kustomize(folder).stdout) as Manifest[];
    const workload = built.find(({ kind }) => /Deployment|StatefulSet/.test(kind));
    const { containers } = (
      workload as Manifest & { spec: { template: { spec: { containers: readonly Container[] } } } }
    ).spec.template.spec;
    const valueIn = (container: string, name: string) =>
      containers.find((one) => one.name === container)?.env?.find((one) => one.name === name)
        ?.value;
    return { kind: workload?.kind, valueIn };
  }

  test.each(["Deployment", "StatefulSet"])(
    "%s: what it sets goes to the server, whatever components stand beside it",
    (kind) => {
      const { valueIn, ...built } = build(
        ["resources: [deployment.yaml]", `resources: [${kind.toLowerCase()}.yaml]`],
        ["# components: [sidecar, reload]", "components: [sidecar, reload]"],
        ['{name: REKINDLE_NODES, value: "6"}', '{name: REKINDLE_NODES, value: "9"}'],
      );
      expect(built.kind).toBe(kind);
      expect(valueIn("redis", "REKINDLE_NODES")).toBe("9");
      expect(valueIn("sidecar", "REKINDLE_NODES")).toBeUndefined();
      expect(valueIn("sidecar", "REKINDLE_RELOAD")).toBe("true");
      expect(valueIn("sidecar", "REKINDLE_PASSWORD_FILE")).toBe("/etc/redis-secret/password");
    },
  );
});
