/** Rule 7 where machines, templates and leaving pods are known. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseAlphas } from "../../src/cluster/choose-alphas.ts";
import { matchBetas } from "../../src/cluster/match-betas.ts";
import { plan } from "../../src/cluster/plan.ts";
import { readTopology } from "../../src/cluster/topology.ts";
import type { PeerView, Self } from "../../src/cluster/types.ts";
import type { PodFacts } from "../../src/discovery/discovery.ts";
import {
  answered,
  blank,
  changed,
  idOf,
  nameOf,
  observation,
  self,
  silent,
  sixNodes,
} from "./observations.ts";
import { facts } from "./pods-under-test.ts";

type Pods = Readonly<Record<string, Partial<PodFacts>>>;

/** Six running nodes, a b c alphas of d e f, each in a pod. */
const pods = (letters: string, some: Pods = {}, truths = sixNodes): readonly PeerView[] =>
  [...letters].map((letter) => ({ ...answered(letter, truths), pod: facts(some[letter]) }));

const choice = (views: readonly PeerView[], pod: Partial<PodFacts> = {}): string | undefined =>
  chooseAlphas(readTopology(observation(undefined, views)), [{ name: "new", pod: facts(pod) }]).get(
    "new",
  );

describe("rule 7: which alpha a newcomer copies", () => {
  test("one whose only beta is leaving, before the others", () => {
    expect(choice(pods("abcdef", { e: { isLeaving: true } }))).toBe(idOf("b"));
  });
  test("one that is leaving itself and hands over to its only beta", () => {
    expect(choice(pods("abcdef", { c: { isLeaving: true } }))).toBe(idOf("c"));
  });
  test("not one on its own machine, where there is another", () => {
    const machines: Pods = {
      a: { kubernetesNode: "m1" },
      b: { kubernetesNode: "m2" },
      c: { kubernetesNode: "m1" },
    };
    expect(choice(pods("abcdef", machines), { kubernetesNode: "m1" })).toBe(idOf("b"));
  });
  test("an orphan on its own machine rather than no beta at all", () => {
    expect(choice(pods("abcdf"), { kubernetesNode: "m1" })).toBe(idOf("b"));
  });
  test("in a rolling update the one with the fewest of its own template: the others will leave", () => {
    const updated: Pods = { d: { template: "2b" }, b: { template: "2b" } };
    expect(choice(pods("abcdef", updated), { template: "2b" })).toBe(idOf("c"));
  });
  test("pods that are just being started count: two that join at once pick different alphas", () => {
    const starting = (name: string, more: Partial<PodFacts> = {}): PeerView => ({
      name,
      address: undefined,
      pod: facts(more),
      seen: { state: "silent", refused: false, why: "it is being started" },
    });
    const alphaOf = (others: readonly PeerView[]) => {
      const own = { ...self("9"), name: "zz", pod: facts() };
      const decision = plan(observation(own, [...pods("abcdef"), ...others]));
      return decision.kind === "become" ? decision.table?.nodes[0]?.alphaId : decision;
    };
    expect(alphaOf([])).toBe(idOf("a"));
    expect(alphaOf([starting("y")])).toBe(idOf("b"));
    expect(alphaOf([starting("x"), starting("y")])).toBe(idOf("c"));
    // One that will not run soon takes no place.
    expect(alphaOf([starting("y", { isTroubled: true })])).toBe(idOf("a"));
  });
  test("one that the others have just met still counts, whether they know already whose beta it is or not", () => {
    const alphaOf = (...seven: readonly (string | undefined)[]) => {
      const views = [..."abcdef"].map((letter, index) => {
        const alpha = seven[index % seven.length];
        return answered(letter, [...sixNodes, { letter: "7", alpha, role: "slave" }]);
      });
      const decision = plan(observation(self("9"), [...views, silent("7")]));
      return decision.kind === "become" ? decision.table?.nodes[0]?.alphaId : decision;
    };
    expect(alphaOf(undefined)).toBe(idOf("b"));
    expect(alphaOf(undefined, "a")).toBe(idOf("b"));
    expect(alphaOf("b")).toBe(idOf("a"));
  });
});

test("rule 7: a founding gives every alpha the same number of betas, on other machines where that can be", () => {
  const machine = fc.constantFrom("m1", "m2", "m3");
  fc.assert(
    fc.property(
      fc.array(machine, { minLength: 3, maxLength: 6 }),
      fc.integer({ min: 1, max: 2 }),
      fc.infiniteStream(machine),
      (machines, replicas, more) => {
        const alphas = machines.map((at, index) => ({
          key: `alpha-${index}`,
          machine: at,
          count: 0,
        }));
        const betas = [...more.take(alphas.length * replicas)].map((at, index) => ({
          key: `beta-${index}`,
          machine: at,
        }));
        const chosen = matchBetas(betas, alphas);
        for (const { key } of alphas)
          expect([...chosen.values()].filter((one) => one === key)).toHaveLength(replicas);
        const shared = betas.filter(
          ({ key, machine: at }) =>
            alphas.find((alpha) => alpha.key === chosen.get(key))?.machine === at,
        );
        // Hall's condition, for machines: those left over are no more than they must be.
        const must = ["m1", "m2", "m3"].map((at) => {
          const here = betas.filter((beta) => beta.machine === at).length;
          const elsewhere = alphas.filter((alpha) => alpha.machine !== at).length * replicas;
          return Math.max(0, here - elsewhere);
        });
        expect(shared.length).toBe(must.reduce((sum, count) => sum + count, 0));
      },
    ),
  );
});

test("a founding spreads the alphas over the machines: losing one must not lose the majority", () => {
  const machines: Readonly<Record<string, string>> = {
    a: "m1",
    b: "m1",
    c: "m1",
    d: "m2",
    e: "m3",
  };
  const peers = Object.entries(machines).map(([letter, kubernetesNode]) => ({
    ...blank(letter),
    pod: facts({ kubernetesNode }),
  }));
  const decision = plan(observation({ ...self("f"), pod: facts({ kubernetesNode: "m2" }) }, peers));
  const claims = decision.kind === "act" ? decision.steps.slice(0, 3).map(({ at }) => at.name) : [];
  expect(claims.sort()).toEqual([nameOf("a"), nameOf("d"), nameOf("e")]);
});

describe("leaving pods", () => {
  test("get no seat in a founding", () => {
    const peers = [..."abcdef"].map((letter) => ({
      ...blank(letter),
      pod: facts({ isLeaving: letter === "a" }),
    }));
    const decision = plan(
      observation({ ...self("9"), pod: facts() }, peers, { policy: { nodes: 6 } }),
    );
    expect(
      decision.kind === "act" && decision.steps.some(({ at }) => at.name === nameOf("a")),
    ).toBe(false);
  });
  test("that do not answer any more are not waited for", () => {
    const without = changed(sixNodes, { d: { flags: ["fail"], linkUp: false } });
    const notThere: PeerView = {
      ...answered("d", without),
      pod: facts({ isLeaving: true }),
      seen: { state: "silent", refused: true, why: "nothing listens there" },
    };
    const topology = readTopology(
      observation(undefined, [...pods("abcef", {}, without), notThere]),
    );
    expect([topology.silent, topology.isQuiet]).toEqual([[], true]);
  });

  test("that hand over just now are waited for: a moment later they need not be written down", () => {
    const joining = { ...self("9"), pod: facts() };
    const decide = (unchangedMs: number, some: Pods) =>
      plan(observation(joining, pods("abcdef", some), { unchangedMs })).kind;
    const handing = { a: { isLeaving: true } };
    expect([decide(0, handing), decide(10_000, handing)]).toEqual(["wait", "become"]);
    // Without a beta that stays the alpha waits for us.
    const both = pods("abcdef", { a: { isLeaving: true }, d: { isLeaving: true } });
    expect(plan(observation(joining, both)).reason).not.toContain("hands its slots over");
  });

  describe("that have handed over", () => {
    // f was drained: c has forgotten it, the others have not yet.
    const without = sixNodes.filter(({ letter }) => letter !== "f");
    const retired = (forgetful: string): readonly PeerView[] =>
      [..."abcdef"].map((letter) => ({
        ...answered(letter, forgetful.includes(letter) ? without : sixNodes),
        pod: facts({ isLeaving: letter === "f" }),
      }));
    const joining = { ...self("9"), pod: facts() };

    test("are introduced to nobody: they would be back in the tables that they were taken out of", () => {
      const decision = plan(observation(joining, retired("abcde")));
      const steps = decision.kind === "become" ? decision.steps : [];
      expect(decision.kind).toBe("become");
      const involved = steps.flatMap((step) => [
        step.at.name,
        ...(step.kind === "meet" && step.whom.seen ? [step.whom.name] : []),
      ]);
      expect(involved).not.toContain(nameOf("f"));
    });
    test("are not in the table of a node that joins", () => {
      const decision = plan(observation(joining, retired("abcde")));
      const ids = decision.kind === "become" ? decision.table?.nodes.map(({ id }) => id) : [];
      expect(ids).toContain(idOf("e"));
      expect(ids).not.toContain(idOf("f"));
    });
    test("are waited for while a peer still knows them: it would tell", () => {
      expect(plan(observation(joining, retired("abc"))).kind).toBe("wait");
    });
    test("rule 3: not one whose alpha is gone, which may hold the only copy", () => {
      const peers = retired("").filter(({ name }) => name !== nameOf("c"));
      const topology = readTopology(observation(joining, peers));
      expect(topology.members.map(({ name }) => name)).toContain(nameOf("f"));
    });
  });
});

test("where fewer are there than it takes, and it stays that way, the wait says what to change", () => {
  const decide = (own: Self, unchangedMs: number) =>
    plan(observation(own, [silent("a"), silent("b"), silent("c")], { unchangedMs })).reason;
  const inPod = { ...self("9"), pod: facts() };
  expect(decide(inPod, 5_000)).toBe("4 of 6 peers have an address");
  expect(decide(inPod, 10_000)).toBe(
    "4 of 6 peers have an address; there are 4 pods in all: set replicas to 6 (or see why Kubernetes makes no more), or lower REKINDLE_NODES",
  );
  expect(decide(self("9"), 10_000)).toBe(
    "4 of 6 peers have an address; 4 are named in all: start 2 more, or lower --nodes",
  );
});
