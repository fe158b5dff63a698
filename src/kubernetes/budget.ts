/**
 * The PodDisruptionBudget of the own Deployment or StatefulSet: of its pods, Kubernetes evicts so many at once and no more.
 *
 * A node makes it, and not the manifest, since no manifest is right for every Kubernetes: 1.20 knows it as policy/v1beta1 only,
 * and from 1.25 on there is policy/v1 only (Kubernetes documentation, "Deprecated API Migration Guide").
 */
import { type Api, ApiError, asLastingFault } from "./api.ts";
import type { Workload } from "./types.ts";
import { type Owner, ownedBy } from "./workload.ts";

const versions = ["v1", "v1beta1"] as const;

/**
 * Makes it where there is none of the owner's name; one that is there stays as it is. It ends with its owner.
 *
 * @throws RekindleError where the right to it is missing, or whatever else came instead of an answer.
 */
export async function makeBudget(
  api: Api,
  owner: Owner,
  workload: Workload,
  maxUnavailable: number,
): Promise<"made" | "there already"> {
  for (const version of versions) {
    try {
      await api.send("POST", pathOf(version, api), {
        apiVersion: `policy/${version}`,
        kind: "PodDisruptionBudget",
        metadata: {
          name: owner.name,
          labels: workload.metadata.labels,
          ownerReferences: [ownedBy(owner, workload)],
        },
        spec: { maxUnavailable, selector: workload.spec.selector },
      });
      return "made";
    } catch (thrown) {
      const status = thrown instanceof ApiError ? thrown.status : undefined;
      if (status === 409) return "there already";
      const rule = { verb: "create", group: "policy", resource: "poddisruptionbudgets" } as const;
      if (status !== 404) throw asLastingFault(api, thrown, rule) ?? thrown;
    }
  }
  throw new ApiError(404, "no version of PodDisruptionBudget is known here");
}

const pathOf = (version: string, { namespace }: Api): string =>
  `/apis/policy/${version}/namespaces/${namespace}/poddisruptionbudgets`;
