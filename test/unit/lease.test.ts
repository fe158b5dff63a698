/** The Lease as a lock: who holds it, and when somebody else may. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Api, ApiError } from "../../src/kubernetes/api.ts";
import { createLock } from "../../src/kubernetes/lease.ts";
import type { Lease } from "../../src/kubernetes/types.ts";

let stored: Lease | undefined;
let version = 0;
let refusal: ApiError | undefined;
let clockMs = 0;

/** What the API server does with a Lease: a PUT with an old version is refused. */
const api: Api = {
  server: "https://kubernetes",
  namespace: "here",
  watch: () => Promise.reject(new Error("nobody watches Leases")),
  close() {},
  async send<T>(method: string, _path: string, body?: unknown): Promise<T> {
    if (refusal) throw refusal;
    if (method === "GET" && stored === undefined) throw new ApiError(404, "not found");
    if (method === "GET") return stored as T;
    const lease = body as Lease;
    if (method === "POST" && stored) throw new ApiError(409, "already exists");
    if (method === "PUT" && lease.metadata.resourceVersion !== stored?.metadata.resourceVersion)
      throw new ApiError(409, "the object has been modified");
    stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: `${++version}` } };
    return stored as T;
  },
};

const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "redis", uid: "u" };
const lockOf = (pod: string, verb = "cluster") =>
  createLock(api, { name: "redis", owner }, { pod, verb }, () => clockMs);
const everybody = () => true;

beforeEach(() => {
  [stored, version, refusal, clockMs] = [undefined, 0, undefined, 0];
});

test("rule 5: one at a time holds it, and gives it back", async () => {
  const [one, other] = [lockOf("one"), lockOf("other")];
  expect((await one.hold(everybody)).held).toBe(true);
  expect(await other.hold(everybody)).toEqual({ held: false, why: "one holds the Lease redis" });
  await one.release();
  expect((await other.hold(everybody)).held).toBe(true);
});

describe("a holder that was killed", () => {
  test("is waited for, for the Lease's duration by the own clock", async () => {
    await lockOf("dead").hold(everybody);
    const heir = lockOf("heir");
    const at = async (ms: number) => {
      clockMs = ms;
      return (await heir.hold(everybody)).held;
    };
    expect([await at(1_000), await at(15_000), await at(16_000)]).toEqual([false, false, true]);
  });
  test("not at all where its pod is gone, nor where it is this very pod's", async () => {
    await lockOf("dead").hold(everybody);
    expect((await lockOf("heir").hold((pod) => pod !== "dead")).held).toBe(true);
    expect((await lockOf("heir").hold(everybody)).held).toBe(true);
  });
});

test("the sidecar of the same pod is somebody else", async () => {
  await lockOf("one").hold(everybody);
  expect((await lockOf("one", "sidecar").hold(everybody)).held).toBe(false);
});

test("one that renews it keeps it; one that has lost it meanwhile knows", async () => {
  const [one, other] = [lockOf("one"), lockOf("other")];
  await one.hold(everybody);
  await other.hold(everybody);
  clockMs = 10_000;
  expect((await one.hold(everybody)).held).toBe(true);
  clockMs = 20_000;
  expect((await other.hold(everybody)).held).toBe(false);
  clockMs = 36_000;
  expect((await other.hold(everybody)).held).toBe(true);
  expect((await one.hold(everybody)).held).toBe(false);
});

test("that a cluster was founded is written on it, and read by whoever holds it next", async () => {
  const one = lockOf("one");
  expect(await one.hold(everybody)).toEqual({ held: true, foundedAt: undefined });
  await one.markFounded("2026-01-01T00:00:00Z");
  await one.release();
  expect(await lockOf("other").hold(everybody)).toEqual({
    held: true,
    foundedAt: "2026-01-01T00:00:00Z",
  });
});

test("it ends with what it tells of", async () => {
  await lockOf("one").hold(everybody);
  expect(stored?.metadata.ownerReferences).toEqual([owner]);
});

test("without the right to Leases the missing rule is named", async () => {
  refusal = new ApiError(403, "forbidden");
  await expect(lockOf("one").hold(everybody)).rejects.toMatchObject({
    message: "this service account may not get leases in the namespace here",
    hint: expect.stringContaining(
      'apiGroups ["coordination.k8s.io"], resources ["leases"], verbs ["get"]',
    ),
  });
});

test("an API server that is away for a moment costs a turn, not the boot", async () => {
  refusal = new ApiError(503, "not now");
  expect(await lockOf("one").hold(everybody)).toMatchObject({ held: false });
});
