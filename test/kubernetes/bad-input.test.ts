/**
 * What is missing around a pod: one line each that names what to change, as log and, where the API lets us, as Event.
 */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { until } from "../redis/until.ts";
import {
  core,
  createNamespace,
  isWanted,
  type KubernetesObject,
  objects,
  onKubernetes,
} from "./api-under-test.ts";
import { containersOf, pause, readManifest } from "./site-under-test.ts";

let namespace = "";

beforeAll(async () => {
  if (isWanted) namespace = await createNamespace();
});
afterAll(async () => {
  if (isWanted) await core.deleteNamespace({ name: namespace });
});

interface Spec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
}

interface Case {
  /** Of the Role's rules, those that hold. */
  readonly rules?: readonly string[];
  /** Of the rules' verbs, those that hold. */
  readonly verbs?: readonly string[];
  readonly spec?: (spec: Spec) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** A pod by itself instead of a Deployment's. */
  readonly isBare?: boolean;
  readonly replicas?: number;
}

/** An authority that signed nothing here. */
function makeForeignAuthority(): string {
  const args =
    "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=foreign -keyout /dev/null -out -";
  return execFileSync("openssl", args.split(" "), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** @returns the names of the manifest's objects in this case. */
async function start(
  name: string,
  { rules, verbs, spec, env, isBare, replicas = 1 }: Case,
): Promise<void> {
  for (const object of readManifest("deployment") as (KubernetesObject & Record<string, never>)[]) {
    const renamed = JSON.parse(
      JSON.stringify(object)
        .replaceAll('"redis"', `"${name}"`)
        .replaceAll("rekindle:latest", inject("testImages").image),
    );
    renamed.metadata.namespace = namespace;
    if (renamed.kind === "Role" && rules)
      renamed.rules = renamed.rules.filter(({ resources }: { resources: string[] }) =>
        rules.includes(resources[0] ?? ""),
      );
    if (renamed.kind === "Role" && verbs)
      for (const rule of renamed.rules)
        rule.verbs = rule.verbs.filter((verb: string) => verbs.includes(verb));
    if (renamed.kind === "Secret") renamed.stringData["ca.crt"] = makeForeignAuthority();
    if (renamed.kind === "Deployment") {
      const template = renamed.spec.template;
      // Of what stands beside the node nothing is wrong here.
      template.spec.containers.splice(1);
      spec?.(template.spec);
      const [container] = containersOf([renamed]);
      container?.env?.push(
        ...Object.entries({ REKINDLE_PEER_WAIT: "2s", ...env }).map(([key, value]) => ({
          name: key,
          value,
        })),
      );
      if (container) container.resources.requests.cpu = "10m";
      if (isBare) {
        await objects.create({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name, namespace, labels: template.metadata.labels },
          spec: template.spec,
        } as KubernetesObject);
        continue;
      }
      renamed.spec.replicas = replicas;
    }
    await objects.create(renamed);
  }
}

/** The first line like this in the log of the pod's container, of the one that runs or the one before. */
async function findLine(name: string, wanted: RegExp): Promise<string> {
  const look = async (): Promise<string> => {
    await pause(300);
    const { items } = await core.listNamespacedPod({ namespace, labelSelector: `app=${name}` });
    const logs = items.flatMap(({ metadata }) => {
      const at = { name: metadata?.name ?? "", namespace };
      return [at, { ...at, previous: true }].map((one) =>
        core.readNamespacedPodLog(one).catch(() => ""),
      );
    });
    return (await Promise.all(logs)).join("\n");
  };
  const log = await until(
    `a line of ${name} like ${wanted}`,
    look,
    (text) => wanted.test(text),
    90_000,
  );
  return log.split("\n").find((line) => wanted.test(line)) ?? "";
}

const cases: readonly [what: string, name: string, given: Case, message: RegExp, exit: number][] = [
  [
    "no service account token",
    "no-account",
    { spec: (spec) => Object.assign(spec, { automountServiceAccountToken: false }) },
    /there is no token for the API server: .*automountServiceAccountToken: true/,
    78,
  ],
  [
    "a wrong token",
    "wrong-token",
    { env: { TOKEN: "not-a-token" } },
    /the API server \S+ refuses our token.*check the service account, TOKEN or --api-token-file/,
    78,
  ],
  [
    "a namespace without the Role",
    "no-role",
    { rules: [] },
    /may not list pods in the namespace .*verbs \[\\"list\\"\]/,
    78,
  ],
  [
    "a Role without Leases",
    "no-leases",
    {
      rules: ["pods", "deployments", "events"],
      replicas: 3,
      env: { REKINDLE_NODES: "3", REKINDLE_REPLICAS: "0" },
    },
    /may not get leases in the namespace .*coordination.k8s.io/,
    78,
  ],
  [
    "a Role that may list pods and not watch them",
    "no-watch",
    { rules: ["pods", "deployments", "events"], verbs: ["list", "get", "create"] },
    /may not watch pods in the namespace .*verbs \[\\"watch\\"\]/,
    78,
  ],
  [
    "an API server with a foreign certificate",
    "foreign-ca",
    { env: { REKINDLE_API_CA: "/etc/redis-secret/ca.crt" } },
    /the certificate of the API server \S+ is not trusted: .*--api-ca/,
    78,
  ],
  [
    "a pod of no Deployment",
    "bare",
    { isBare: true },
    /the pod bare belongs to no Deployment or StatefulSet: its owner is nobody.*--dns or --peers/,
    78,
  ],
  [
    "replicas that do not fit the nodes",
    "counts",
    { env: { REKINDLE_REPLICAS: "3" } },
    /6 nodes do not make at least three shards/,
    78,
  ],
];

onKubernetes.each(cases)(
  "%s: one line that names what to change",
  async (_what, name, given, message, exit) => {
    await start(name, given);
    const line = await findLine(name, /"level":"error"/);
    expect(line).toMatch(message);
    expect(JSON.parse(line)).toMatchObject({ exit });
  },
);

onKubernetes("what is missing is told as an Event too, where Events may be written", async () => {
  const refusals = async () => {
    const { items } = await core.listNamespacedEvent({ namespace });
    return items.filter(({ reason }) => reason === "Refused").map(({ message }) => message);
  };
  for (const said of [
    /may not get leases in the namespace/,
    /6 nodes do not make at least three shards/,
    /the pod bare belongs to no Deployment or StatefulSet/,
  ])
    await expect.poll(async () => (await refusals()).join("\n"), { timeout: 30_000 }).toMatch(said);
});

onKubernetes(
  "fewer replicas than nodes: what to change is said in the log and as an Event",
  async () => {
    await start("too-few", { replicas: 4 });
    const wanted =
      /4 of 6 peers have an address; there are 4 pods in all: set replicas to 6 \(or see why Kubernetes makes no more\), or lower REKINDLE_NODES/;
    expect(await findLine("too-few", wanted)).toContain('"event":"wait"');
    const waits = async () => {
      const { items } = await core.listNamespacedEvent({ namespace });
      return items.filter(({ reason }) => reason === "Waiting").map(({ message }) => message);
    };
    await expect.poll(async () => (await waits()).join("\n"), { timeout: 30_000 }).toMatch(wanted);
  },
);

onKubernetes("an API server that cannot be reached is waited for, and said so", async () => {
  await start("unreachable", { env: { APISERVER: "https://192.0.2.1:6443" } });
  const line = await findLine("unreachable", /"event":"wait"/);
  expect(line).toMatch(/waiting: the API server https:\/\/192.0.2.1:6443 does not answer/);
});
