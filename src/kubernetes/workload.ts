/**
 * The Deployment or StatefulSet that a pod belongs to, and which other pods do.
 */
import { RekindleError } from "../errors.ts";
import type { Api, Rule } from "./api.ts";
import type { LabelSelector, OwnerReference, Pod, Workload } from "./types.ts";

export interface Owner {
  readonly kind: "Deployment" | "StatefulSet";
  readonly name: string;
  /** The label that tells the pods of one template from those of another. */
  readonly templateLabel: "pod-template-hash" | "controller-revision-hash";
}

export const readWorkloads = (owner: Owner): Rule => ({
  verb: "get",
  group: "apps",
  resource: owner.kind === "Deployment" ? "deployments" : "statefulsets",
});

/**
 * A Deployment's ReplicaSets are called after it and their template's hash (Kubernetes documentation, "Deployments"), so
 * that nobody needs the right to read ReplicaSets.
 *
 * @throws RekindleError for a pod of neither.
 */
export function ownerOf(pod: Pod): Owner {
  const owner = ownerIfAny(pod);
  if (owner) return owner;
  const controller = controllerOf(pod);
  const why =
    controller?.kind === "ReplicaSet"
      ? "it has no label pod-template-hash"
      : `its owner is ${controller ? `the ${controller.kind} ${controller.name}` : "nobody"}`;
  throw new RekindleError(
    "configuration",
    `the pod ${pod.metadata.name} belongs to no Deployment or StatefulSet: ${why}`,
    { hint: "start it from one, or find the peers with --dns or --peers" },
  );
}

export function ownerIfAny(pod: Pod): Owner | undefined {
  const controller = controllerOf(pod);
  if (controller?.kind === "StatefulSet") {
    return {
      kind: "StatefulSet",
      name: controller.name,
      templateLabel: "controller-revision-hash",
    };
  }
  const ending = `-${pod.metadata.labels?.["pod-template-hash"]}`;
  if (controller?.kind !== "ReplicaSet" || !controller.name.endsWith(ending)) return undefined;
  const name = controller.name.slice(0, -ending.length);
  return { kind: "Deployment", name, templateLabel: "pod-template-hash" };
}

export const controllerOf = (pod: Pod): OwnerReference | undefined =>
  pod.metadata.ownerReferences?.find((one) => one.controller);

export const templateOf = (pod: Pod): string => {
  const owner = ownerIfAny(pod);
  return (owner && pod.metadata.labels?.[owner.templateLabel]) ?? "";
};

export const findWorkload = (api: Api, { kind, name }: Owner): Promise<Workload> =>
  api.send("GET", `/apis/apps/v1/namespaces/${api.namespace}/${kind.toLowerCase()}s/${name}`);

/** What is made with this in its metadata ends with the Deployment or StatefulSet. */
export const ownedBy = ({ kind, name }: Owner, { metadata }: Workload): OwnerReference => ({
  apiVersion: "apps/v1",
  kind,
  name,
  uid: metadata.uid ?? "",
});

/** As a list of pods takes it. */
export function renderSelector({ matchLabels, matchExpressions }: LabelSelector): string {
  const equal = Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const other = (matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`;
  });
  return [...equal, ...other].join(",");
}
