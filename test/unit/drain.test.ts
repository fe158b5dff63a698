/** Leaving in good order: what is done when, and to whom. */
import { describe, expect, test } from "vitest";
import { type Leaving, planDrain } from "../../src/cluster/plan-drain.ts";
import { readTopology } from "../../src/cluster/topology.ts";
import type { Member, PeerView } from "../../src/cluster/types.ts";
import type { PodFacts } from "../../src/discovery/discovery.ts";
import {
  answered,
  changed,
  idOf,
  nameOf,
  observation,
  sixNodes,
  type Truth,
  thirds,
} from "./observations.ts";
import { facts } from "./pods-under-test.ts";

type Pods = Readonly<Record<string, Partial<PodFacts>>>;

/** The node `own` leaves; all nodes see the cluster as `truths` say. */
function leaving(
  own: string,
  truths: readonly Truth[] = sixNodes,
  pods: Pods = {},
  more: Partial<Leaving> = {},
) {
  const views = truths.map(({ letter }) => ({
    ...answered(letter, truths),
    pod: facts({ isLeaving: letter === own, ...pods[letter] }),
  }));
  const member = views.find(({ name }) => name === nameOf(own)) as Member;
  const topology = readTopology(observation(undefined, views));
  return planDrain({ own: member, topology, awaited: [], unchangedMs: 0, ...more });
}

const heirOf = (decision: ReturnType<typeof planDrain>) =>
  decision.kind === "act"
    ? decision.steps.map((step) => `${step.kind} ${step.at.name}`)
    : decision.kind;

const twoBetas = changed([...sixNodes, { letter: "9", alpha: "a" }], {});
const newcomer: PeerView = {
  name: "new",
  address: undefined,
  pod: facts(),
  seen: { state: "silent", refused: false, why: "it is being started" },
};

describe("an alpha hands its slots over", () => {
  test("to its beta, with the one way that loses nothing", () => {
    expect(leaving("a")).toMatchObject({
      kind: "act",
      steps: [{ kind: "promote", how: "in order", at: { name: nameOf("d") } }],
    });
  });
  test("to the newest template first, then to another machine", () => {
    const old = { d: { isOfNewestTemplate: false }, 9: { isOfNewestTemplate: true } };
    expect(heirOf(leaving("a", twoBetas, old))).toEqual([`promote ${nameOf("9")}`]);
    const near = { d: { kubernetesNode: "m2" }, 9: { kubernetesNode: "m1" } };
    expect(heirOf(leaving("a", twoBetas, near))).toEqual([`promote ${nameOf("d")}`]);
  });
  test("never to one that leaves too, nor to one that is not in sync: it waits for a better one", () => {
    expect(heirOf(leaving("a", twoBetas, { d: { isLeaving: true } }))).toEqual([
      `promote ${nameOf("9")}`,
    ]);
    expect(leaving("a", sixNodes, { d: { isLeaving: true } })).toMatchObject({
      kind: "wait",
      reason: "no beta of slots 0-5460 can take over",
    });
  });
});

describe("a node whose pod is not ending", () => {
  const staying = { a: { isLeaving: false }, d: { isLeaving: false } };
  test("hands its slots over all the same", () => {
    expect(heirOf(leaving("a", sixNodes, staying))).toEqual([`promote ${nameOf("d")}`]);
  });
  test("is done when it copies the new alpha: one drain after the other is safe", () => {
    const views = [..."abcdef"].map((letter) => ({
      ...answered(letter, sixNodes, letter === "d" ? { inSync: false } : {}),
      pod: facts(),
    }));
    const topology = readTopology(observation(undefined, views));
    const own = views[3] as Member;
    expect(planDrain({ own, topology, awaited: [], unchangedMs: 0 }).kind).toBe("wait");
  });
  test("is not forgotten: there is nobody who would introduce it again", () => {
    expect(leaving("d", sixNodes, staying)).toEqual({
      kind: "done",
      reason: "this node has no slots and stays a beta: its pod is not ending",
    });
  });
});

test("the whole cluster stops: nothing is handed over, nobody is forgotten", () => {
  const all = Object.fromEntries([..."abcdef"].map((letter) => [letter, { isLeaving: true }]));
  expect(leaving("a", sixNodes, all).kind).toBe("done");
  expect(leaving("d", sixNodes, all).kind).toBe("done");
  // With new pods on their way there is somebody to wait for.
  expect(leaving("a", sixNodes, all, { awaited: [newcomer] })).toMatchObject({
    kind: "wait",
    reason: "no beta of slots 0-5460 can take over; new may become one",
  });
});

describe("a beta leaves", () => {
  test("forgotten by all, at once", () => {
    const decision = leaving("d");
    expect(heirOf(decision)).toEqual([..."abcef"].map((letter) => `forget ${nameOf(letter)}`));
  });
  test("rule 1: not before everybody knows that it owns no slots any more", () => {
    const handedOver = changed(sixNodes, {
      a: { slots: [], alpha: "d", epoch: 0 },
      d: { slots: thirds.slice(0, 1), alpha: undefined, epoch: 7 },
    });
    const views = [..."abcdef"].map((letter) => ({
      // c has not heard of it.
      ...answered(letter, letter === "c" ? sixNodes : handedOver),
      pod: facts({ isLeaving: letter === "a" }),
    }));
    const topology = readTopology(observation(undefined, views));
    const own = views[0] as Member;
    expect(planDrain({ own, topology, awaited: [], unchangedMs: 0 })).toMatchObject({
      kind: "wait",
      reason: `${nameOf("c")} have yet to hear who has the slots now`,
    });
  });
  test("a newcomer that may have written it down is waited for, a little", () => {
    const alone = sixNodes.filter(({ letter }) => letter !== "d");
    const view = { ...answered("d", sixNodes), pod: facts({ isLeaving: true }) };
    const others = alone.map(({ letter }) => ({ ...answered(letter, alone), pod: facts() }));
    const topology = readTopology(observation(undefined, [view, ...others]));
    const at = (unchangedMs: number) =>
      planDrain({ own: view as Member, topology, awaited: [newcomer], unchangedMs }).kind;
    expect([at(0), at(7_900), at(8_100)]).toEqual(["wait", "wait", "done"]);
  });
});

test("a node that is in no cluster has nothing to leave, however often it is asked", () => {
  const alone = { ...answered("9", [{ letter: "9" }]), pod: facts({ isLeaving: true }) } as Member;
  const topology = readTopology(observation(undefined, [alone]));
  expect(planDrain({ own: alone, topology, awaited: [], unchangedMs: 0 }).kind).toBe("done");
  expect(idOf("9")).toBe(alone.seen.id);
});

describe("who leaves last sees to those that stay", () => {
  /** Alphas a, b, c; b has the betas e, f and 9, c has none; d, of a, is about to leave and forgotten. */
  const uneven = changed([...sixNodes, { letter: "9", alpha: "b" }], { f: { alpha: "b" } });
  const stay = uneven.filter(({ letter }) => letter !== "d");
  const decide = (pods: Pods = {}) => {
    const own = { ...answered("d", uneven), pod: facts({ isLeaving: true }) };
    const others = stay.map(({ letter }) => ({
      ...answered(letter, stay),
      pod: facts({ kubernetesNode: `m-${letter}`, ...pods[letter] }),
    }));
    const topology = readTopology(observation(undefined, [own, ...others]));
    return planDrain({ own: own as Member, topology, awaited: [], unchangedMs: 60_000 });
  };
  test("an alpha without a beta gets one from where there are more, and from nowhere else", () => {
    // The alpha a is alone as well, since d leaves; it comes first.
    expect(decide()).toMatchObject({
      kind: "act",
      steps: [{ kind: "replicate", at: { name: nameOf("f") }, alphaId: idOf("a") }],
    });
  });
  test("preferably from another machine", () => {
    expect(decide({ f: { kubernetesNode: "m-a" } })).toMatchObject({
      steps: [{ at: { name: nameOf("e") }, alphaId: idOf("a") }],
    });
  });
  test("nobody gives his only one", () => {
    const leavingBetas = { 9: { isLeaving: true }, f: { isLeaving: true } };
    expect(decide(leavingBetas)).toMatchObject({ kind: "done" });
  });
});
