/** Which pods are peers, and what is known of them. */
import { describe, expect, test } from "vitest";
import { peersAmong } from "../../src/discovery/kubernetes.ts";
import { ownerOf, templateOf } from "../../src/kubernetes/workload.ts";
import { type PodSketch, pod } from "./pods-under-test.ts";

const options = { port: 6379, busPort: undefined, address: undefined, family: "auto" } as const;
const self = pod("redis-1a-self", { ip: "10.0.0.1" });
const own = { pod: self, owner: ownerOf(self), template: templateOf(self) };

const among = (sketches: Readonly<Record<string, PodSketch>>) =>
  peersAmong(
    [self, ...Object.entries(sketches).map(([name, sketch]) => pod(name, sketch))],
    own,
    options,
  );

test("the pods of the same Deployment are peers, of whatever template", () => {
  const { self: found, others } = among({
    "redis-1a-x": { ip: "10.0.0.2" },
    "redis-2b-y": { ip: "10.0.0.3", template: "2b" },
  });
  expect(found?.address).toEqual({ ip: "10.0.0.1", port: 6379, busPort: 16_379 });
  expect(others.map(({ name }) => name)).toEqual(["redis-1a-x", "redis-2b-y"]);
});

test("rule 6: a pod of another Deployment is no peer, even where the selectors overlap", () => {
  expect(among({ stranger: { ip: "10.0.0.2", deployment: "cache" } }).others).toEqual([]);
  // Not even where one name begins with the other.
  expect(among({ stranger: { ip: "10.0.0.2", deployment: "redis-1a" } }).others).toEqual([]);
});

describe("rule 7: whose address may be somebody else's is no peer", () => {
  test.each(["Failed", "Succeeded"])("%s pods", (phase) => {
    expect(among({ other: { ip: "10.0.0.2", phase } }).others).toEqual([]);
  });
  test("deleted pods whose containers have ended; those that still run are peers, and leaving", () => {
    const { others } = among({
      ended: { ip: "10.0.0.2", isLeaving: true, hasEnded: true },
      ending: { ip: "10.0.0.3", isLeaving: true },
    });
    expect(others.map(({ name, pod: facts }) => [name, facts?.isLeaving])).toEqual([
      ["ending", true],
    ]);
  });
});

describe("a pending pod is a peer without an address, and says why", () => {
  const waiting = (sketch: PodSketch) => {
    const [peer] = among({ other: { phase: "Pending", ...sketch } }).others;
    return peer?.address === undefined ? [peer?.waitingFor, peer?.pod?.isTroubled] : "addressed";
  };
  test("unschedulable", () => {
    expect(waiting({ unschedulable: "0/3 nodes are available" })).toEqual([
      "Unschedulable (0/3 nodes are available)",
      true,
    ]);
  });
  test("its image cannot be pulled, though its network is there", () => {
    expect(waiting({ ip: "10.0.0.2", waiting: "ImagePullBackOff" })).toEqual([
      "ImagePullBackOff",
      true,
    ]);
  });
  test("just being started", () => {
    expect(waiting({ waiting: "ContainerCreating" })).toEqual(["it is being started", false]);
  });
});

test.each(["ImagePullBackOff", "CrashLoopBackOff"])(
  "an exporter beside the server that is in %s is no trouble of the node's",
  (exporterWaiting) => {
    const [peer] = among({
      other: { ip: "10.0.0.2", phase: "Pending", exporterWaiting },
    }).others;
    expect([peer?.address?.ip, peer?.pod?.isTroubled]).toEqual(["10.0.0.2", false]);
  },
);

test("the newest template is that of the youngest pod: one that was gone back to is new again", () => {
  const { others } = among({
    a: { ip: "10.0.0.2", template: "2b", createdAt: "2026-01-02T00:00:00Z" },
    b: { ip: "10.0.0.3", template: "1a", createdAt: "2026-01-03T00:00:00Z" },
  });
  expect(others.map(({ pod: facts }) => facts?.isOfNewestTemplate)).toEqual([false, true]);
});

test("a pod that no Deployment or StatefulSet owns is refused, with its owner's name", () => {
  const bare = { ...self, metadata: { ...self.metadata, ownerReferences: [] } };
  expect(() => ownerOf(bare)).toThrow(
    "belongs to no Deployment or StatefulSet: its owner is nobody",
  );
  const job = [{ apiVersion: "batch/v1", kind: "Job", name: "once", uid: "u", controller: true }];
  expect(() => ownerOf({ ...self, metadata: { ...self.metadata, ownerReferences: job } })).toThrow(
    "its owner is the Job once",
  );
  const labels = { app: "redis" };
  expect(() => ownerOf({ ...self, metadata: { ...self.metadata, labels } })).toThrow(
    "it has no label pod-template-hash",
  );
});
