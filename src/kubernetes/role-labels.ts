/**
 * The pod label that says who is the alpha and who a beta: Services select by it.
 */
import { RekindleError } from "../errors.ts";
import { type Api, ApiError, asLastingFault } from "./api.ts";
import type { LabelSelector, Pod } from "./types.ts";

export type Role = "alpha" | "beta";

/**
 * Labels those that are labelled wrongly. Betas first: a Service over the alpha had better have nobody for a moment than two.
 *
 * @param onChange is told what each is now.
 * @returns whether any was changed.
 * @throws RekindleError where the right to it is missing, or whatever else came instead of an answer.
 */
export async function labelRoles(
  api: Api,
  pods: readonly Pod[],
  alpha: string,
  key: string,
  onChange: (pod: Pod) => void,
): Promise<boolean> {
  const mislabelled = findMislabelled(pods, alpha, key);
  for (const role of ["beta", "alpha"] as const) {
    const wrong = mislabelled.filter((one) => one.role === role);
    const changed = await Promise.all(wrong.map(({ pod }) => label(api, pod, key, role)));
    for (const pod of changed) if (pod) onChange(pod);
  }
  return mislabelled.length > 0;
}

/** None where the alpha is not among the pods: it is not known yet, or no longer. */
export function findMislabelled(
  pods: readonly Pod[],
  alpha: string,
  key: string,
): readonly { readonly pod: Pod; readonly role: Role }[] {
  if (!pods.some(({ metadata }) => metadata.name === alpha)) return [];
  return pods
    .map((pod) => ({ pod, role: pod.metadata.name === alpha ? "alpha" : "beta" }) as const)
    .filter(({ pod, role }) => pod.metadata.labels?.[key] !== role);
}

/** @returns the pod as it is now; undefined where it is gone, or another has its name. */
async function label(
  api: Api,
  { metadata }: Pod,
  key: string,
  role: Role,
): Promise<Pod | undefined> {
  const path = `/api/v1/namespaces/${api.namespace}/pods/${metadata.name}`;
  try {
    return await api.send<Pod>("PATCH", path, {
      metadata: { uid: metadata.uid, labels: { [key]: role } },
    });
  } catch (thrown) {
    if (thrown instanceof ApiError && (thrown.status === 404 || thrown.status === 409))
      return undefined;
    throw asLastingFault(api, thrown, { verb: "patch", group: "", resource: "pods" }) ?? thrown;
  }
}

/** @throws RekindleError for a label that decides which pods belong together: changed, a pod would belong to nobody. */
export function requireFreeLabel(key: string, { matchLabels, matchExpressions }: LabelSelector) {
  const isTaken =
    key in (matchLabels ?? {}) || matchExpressions?.some((expression) => expression.key === key);
  if (!isTaken) return;
  throw new RekindleError(
    "configuration",
    `the role label "${key}" is one that the pods are selected by`,
    { hint: "name another label in --role-label" },
  );
}
