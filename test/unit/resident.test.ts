/** The resident healer: what it mends, and what it leaves alone. */
import { describe, expect, test } from "vitest";
import { planResident } from "../../src/cluster/plan-resident.ts";
import type { PeerView } from "../../src/cluster/types.ts";
import {
  answered,
  blank,
  changed,
  idOf,
  nameOf,
  observation,
  sixNodes,
  type Truth,
  thirds,
} from "./observations.ts";

const all = (truths: readonly Truth[] = sixNodes, letters = "abcdef"): readonly PeerView[] =>
  [...letters].map((letter) => answered(letter, truths));

const decide = (peers: readonly PeerView[], unchangedMs = 20_000) =>
  planResident(observation(undefined, peers, { unchangedMs }), 5_000);

const did = (decision: ReturnType<typeof decide>): readonly string[] =>
  decision.kind === "act" ? decision.steps.map((step) => `${step.at.name} ${step.kind}`) : [];

test("a whole cluster is left alone", () => {
  expect(decide(all())).toEqual({ kind: "done", reason: "all is well" });
});

describe("what has lasted is mended", () => {
  const strange = [
    ...all(
      sixNodes.filter(({ letter }) => letter !== "f"),
      "abcde",
    ),
    answered("f", sixNodes),
  ];

  test("a node that the others do not know is introduced", () => {
    expect(did(decide(strange)).length).toBeGreaterThan(0);
    expect(new Set(did(decide(strange)).map((one) => one.split(" ")[1]))).toEqual(
      new Set(["meet"]),
    );
  });
  test("only under the lock", () => {
    expect(decide(strange)).toMatchObject({ kind: "act", isExclusive: true });
  });
  test("not what has just begun: tables differ for a moment in every failover", () => {
    expect(decide(strange, 1_000)).toMatchObject({ kind: "wait" });
  });
  test("a beta that copies nobody, and knows where its alpha is, is told once more whose beta it is", () => {
    const lost = { inSync: false, hasFollowed: false, followsNobody: true } as const;
    const peers = all().map((peer) =>
      peer.name === nameOf("d") ? answered("d", sixNodes, lost) : peer,
    );
    expect(did(decide(peers))).toEqual([`${nameOf("d")} replicate`]);
    // Not to an address where nobody was seen to be the alpha (rule 10).
    const unsure = peers.filter(({ name }) => name !== nameOf("a"));
    expect(did(decide(unsure))).not.toContain(`${nameOf("d")} replicate`);
  });
  test("a ghost is forgotten by all", () => {
    const ghost = [...sixNodes, { letter: "9", alpha: "a", flags: ["fail"], linkUp: false }];
    expect(did(decide(all(ghost)))).toEqual(
      [..."abcdef"].map((letter) => `${nameOf(letter)} forget`),
    );
  });
  test("an alpha without a beta gets one from where there are two", () => {
    const uneven = changed(sixNodes, { d: { alpha: "b" } });
    expect(decide(all(uneven))).toMatchObject({
      kind: "act",
      steps: [{ kind: "replicate", at: { name: nameOf("e") }, alphaId: idOf("a") }],
      isExclusive: true,
    });
  });
  test("rule 1: a failed alpha with slots is no ghost", () => {
    const dead = changed(sixNodes, { a: { flags: ["fail"], linkUp: false } });
    expect(did(decide(all(dead, "bcdef"))).filter((one) => one.includes("forget"))).toEqual([]);
  });
  test("a node without slots and without an alpha becomes a beta", () => {
    const idle = [...sixNodes, { letter: "9" }];
    const peers = [...all(idle), answered("9", idle, { keys: 0 })];
    expect(decide(peers)).toMatchObject({ steps: [{ kind: "replicate", alphaId: idOf("a") }] });
  });
  test("a node timeout that somebody left short is set back", () => {
    const short = all().map((peer) =>
      peer.name === nameOf("a") ? answered("a", sixNodes, { nodeTimeoutMs: 500 }) : peer,
    );
    expect(did(decide(short))).toEqual([`${nameOf("a")} node-timeout`]);
  });
});

describe("what it never does", () => {
  test("found a cluster", () => {
    expect(decide([..."abcdef"].map((letter) => blank(letter)))).toMatchObject({ kind: "wait" });
  });
  test("rule 6: touch anything while the peers are of more than one cluster", () => {
    const foreign: readonly Truth[] = [{ letter: "9", slots: [[0, 16_383]], epoch: 1 }];
    expect(decide([...all(), answered("9", foreign)])).toMatchObject({ kind: "wait" });
    expect(thirds).toHaveLength(3);
  });
});
