/** The disruption budget: in whatever version this Kubernetes has it. */
import { describe, expect, test } from "vitest";
import { type Api, ApiError } from "../../src/kubernetes/api.ts";
import { makeBudget } from "../../src/kubernetes/budget.ts";

const owner = { kind: "Deployment", name: "redis", templateLabel: "pod-template-hash" } as const;
const selector = { matchLabels: { app: "redis" } };
const workload = {
  metadata: { name: "redis", uid: "u", labels: { app: "redis" } },
  spec: { selector },
};

/** @param statuses what the API server answers a POST in this version with; 201 where it says nothing. */
async function make(statuses: Readonly<Record<string, number>>) {
  const made: { path: string; body: unknown }[] = [];
  const api: Api = {
    server: "https://kubernetes",
    namespace: "here",
    watch: () => Promise.reject(new Error("nobody watches budgets")),
    close() {},
    async send<T>(_method: string, path: string, body?: unknown): Promise<T> {
      const status = statuses[path.split("/")[3] ?? ""] ?? 201;
      if (status !== 201) throw new ApiError(status, `answer ${status}`);
      made.push({ path, body });
      return body as T;
    },
  };
  const outcome = await makeBudget(api, owner, workload, 1);
  return { outcome, made };
}

test("it holds the owner's pods, and ends with it", async () => {
  const { outcome, made } = await make({});
  expect(outcome).toBe("made");
  expect(made).toEqual([
    {
      path: "/apis/policy/v1/namespaces/here/poddisruptionbudgets",
      body: {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: {
          name: "redis",
          labels: { app: "redis" },
          ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: "redis", uid: "u" }],
        },
        spec: { maxUnavailable: 1, selector },
      },
    },
  ]);
});

test("Kubernetes 1.20 has it as v1beta1", async () => {
  const { outcome, made } = await make({ v1: 404 });
  expect(outcome).toBe("made");
  expect(made.map(({ path }) => path)).toEqual([
    "/apis/policy/v1beta1/namespaces/here/poddisruptionbudgets",
  ]);
});

test("one that is there already stays as it is", async () => {
  expect(await make({ v1: 409 })).toEqual({ outcome: "there already", made: [] });
});

describe("where it cannot be made", () => {
  test("the missing rule is named", async () => {
    await expect(make({ v1: 403 })).rejects.toMatchObject({
      message: "this service account may not create poddisruptionbudgets in the namespace here",
    });
  });
  test("the server's own words are told", async () => {
    await expect(make({ v1: 503 })).rejects.toThrow("answer 503");
    await expect(make({ v1: 404, v1beta1: 404 })).rejects.toThrow("no version of");
  });
});
