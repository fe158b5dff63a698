/** Founding anew from a snapshot, and lost slots: who restores what, and when nobody does. */
import { expect, test } from "vitest";
import type { SlotRange } from "../../src/cluster/nodes.ts";
import { plan } from "../../src/cluster/plan.ts";
import type { Observation, PeerView, Plan } from "../../src/cluster/types.ts";
import {
  addressOf,
  answered,
  blank,
  idOf,
  nameOf,
  observation,
  self,
  silent,
  sixNodes,
  table,
  thirds,
} from "./observations.ts";

const letters = ["a", "b", "c", "d", "e", "f"];

/** Rekindle itself, on its way. */
const waiting = (letter: string, isBlank = true, restores?: readonly SlotRange[]): PeerView => ({
  name: nameOf(letter),
  address: addressOf(letter),
  seen: { state: "silent", refused: false, why: "it decides", entrypoint: { isBlank, restores } },
});

/** A server with the keys of one seat, which knows nobody yet. */
const restored = (letter: string, seat: number): PeerView =>
  answered(letter, [{ letter, slots: thirds.slice(seat, seat + 1), epoch: seat + 1 }], {
    clusterOk: false,
  });

const others = (own: string, view: (letter: string) => PeerView = waiting): readonly PeerView[] =>
  letters.filter((letter) => letter !== own).map((letter) => view(letter));

const found = (
  own: string,
  peers: readonly PeerView[],
  more: Partial<Observation> & { restored?: readonly SlotRange[] } = {},
): Plan =>
  plan(observation(self(own, { restored: more.restored }), peers, { snapshot: "found", ...more }));

test("the store is looked into before anything is founded", () => {
  expect(found("a", others("a"), { snapshot: "unknown" }).kind).toBe("find-snapshot");
  expect(found("f", others("f"), { snapshot: "unknown" }).kind).toBe("find-snapshot");
  expect(found("a", others("a"), { snapshot: "none" })).toMatchObject({
    kind: "become",
    table: undefined,
  });
});

test("the first three by name restore a third each; the others do not", () => {
  const slotsOf = (letter: string) => {
    const it = found(letter, others(letter));
    return it.kind === "restore" ? it.slots : it.kind;
  };
  expect(letters.map(slotsOf)).toEqual([
    [thirds[0]],
    [thirds[1]],
    [thirds[2]],
    "become",
    "become",
    "wait",
  ]);
});

test("a restart in the middle changes nobody's slots", () => {
  // c comes late: a is a server by now, b has yet to load, d and e are blank servers.
  const late = found("c", [
    restored("a", 0),
    waiting("b", true, [thirds[1] as SlotRange]),
    blank("d"),
    blank("e"),
    waiting("f"),
  ]);
  expect(late).toMatchObject({ kind: "restore", slots: [thirds[2]] });
  // A new node, first by its name, gets what is left.
  const renamed = found("a", [
    waiting("b", true, [thirds[0] as SlotRange]),
    restored("c", 1),
    blank("d"),
    blank("e"),
    waiting("f"),
  ]);
  expect(renamed).toMatchObject({ kind: "restore", slots: [thirds[2]] });
});

test("nobody restores while another node may have the data", () => {
  for (const unsure of [silent("c"), waiting("c", false)]) {
    const peers = [waiting("b"), unsure, waiting("d"), waiting("e"), waiting("f")];
    expect(found("a", peers)).toMatchObject({
      kind: "wait",
      reason: "whether they have the data is not known of node-c",
    });
    expect(found("a", peers, { unchangedMs: 3_600_000 }).kind).toBe("wait");
  }
  // One that answers with the data of all: it is joined.
  const alive = [waiting("b"), waiting("c"), answered("d", sixNodes), waiting("e"), waiting("f")];
  expect(found("a", alive).kind).not.toBe("restore");
});

test("what is restored is taken into use with its slots, and by the coordinator at the end", () => {
  const own = [thirds[0] as SlotRange];
  const it = found("a", others("a"), { restored: own });
  expect(it).toMatchObject({ kind: "become", isRestored: true, report: "Restored" });
  if (it.kind !== "become") throw new Error(it.kind);
  expect(it.table?.nodes[0]).toMatchObject({ slots: own, epoch: 1 });
  // Three nodes, no betas: the last has slots itself, and introduces the others first.
  const policy = { nodes: 3, replicas: 0 };
  const last = plan(
    observation(
      self("c", { restored: [thirds[2] as SlotRange] }),
      [restored("a", 0), restored("b", 1)],
      { snapshot: "found", policy },
    ),
  );
  expect(last).toMatchObject({
    kind: "act",
    reason: "founding: the nodes have yet to hear of each other",
  });
});

test("what somebody else has by now is not taken into use twice", () => {
  const own = [thirds[0] as SlotRange];
  const it = found(
    "a",
    [restored("b", 0), waiting("c"), waiting("d"), waiting("e"), waiting("f")],
    { restored: own },
  );
  expect(it).toMatchObject({ kind: "restore", slots: [thirds[1]] });
  const twice = found("f", [
    restored("a", 0),
    restored("b", 0),
    restored("c", 2),
    blank("d"),
    blank("e"),
  ]);
  expect(twice).toMatchObject({ kind: "wait" });
  expect(twice.reason).toContain("node-a and node-b have both restored slots 0-5460");
});

test("rule 4: with a snapshot, no slots are given to a node that has not restored them", () => {
  const table6 = table("f", [{ letter: "f", alpha: "a" }]);
  const own = self("f", { table: table6 });
  const it = plan(
    observation(own, [restored("a", 0), restored("b", 1), blank("c"), blank("d"), blank("e")], {
      snapshot: "found",
    }),
  );
  expect(it.kind).toBe("wait");
  expect(it.reason).toContain("slots 10923-16383 are restored by nobody");
});

test("restored nodes that know each other are no strangers while one is on its way", () => {
  const truths = [
    { letter: "a", slots: thirds.slice(0, 1), epoch: 1 },
    { letter: "b", slots: thirds.slice(1, 2), epoch: 2 },
  ];
  const a = answered("a", truths);
  expect(found("f", [a, silent("b"), restored("c", 2), blank("d"), blank("e")])).toMatchObject({
    kind: "wait",
  });
  const all = found("f", [a, answered("b", truths), restored("c", 2), blank("d"), blank("e")]);
  expect(all.kind).toBe("act");
});

const lostPolicy = { policy: { onLostSlots: "restore" as const }, unchangedMs: 3_600_000 };
const left = sixNodes.filter(({ letter }) => !["b", "e"].includes(letter));
const lostB = left.map(({ letter }) =>
  answered(
    letter,
    sixNodes.map((truth) =>
      ["b", "e"].includes(truth.letter) ? { ...truth, flags: ["fail"], linkUp: false } : truth,
    ),
  ),
);

test("lost slots are restored by one new node, and served by it if they still are nobody's", () => {
  const lost = [thirds[1] as SlotRange];
  const decide = (
    peers: readonly PeerView[],
    more: object = {},
    snapshot: Observation["snapshot"] = "found",
  ) => plan(observation(self("9", more), peers, { ...lostPolicy, snapshot }));
  expect(decide(lostB, {}, "unknown").kind).toBe("find-snapshot");
  expect(decide(lostB, {}, "none")).toMatchObject({ kind: "wait" });
  expect(decide(lostB)).toMatchObject({ kind: "restore", slots: lost });
  // Another new node is at it already.
  expect(decide([waiting("8", true, lost), ...lostB])).toMatchObject({ kind: "wait" });
  const ready = decide(lostB, { restored: lost });
  expect(["act", "become"]).toContain(ready.kind);
  // As soon as its beta is forgotten too.
  const withoutE = lostB.map(({ name }) =>
    answered(
      name.slice(-1),
      sixNodes
        .filter(({ letter }) => letter !== "e")
        .map((truth) =>
          truth.letter === "b" ? { ...truth, flags: ["fail"], linkUp: false } : truth,
        ),
    ),
  );
  const now = decide(withoutE, { restored: lost });
  if (now.kind !== "become") throw new Error(now.reason);
  expect(now).toMatchObject({ isRestored: true, report: "Restored" });
  // At the lost one's address the others would take this node for it.
  const forgotten = now.steps.filter((step) => step.kind === "forget" && step.id === idOf("b"));
  expect(forgotten).toHaveLength(withoutE.length);
  expect(now.table?.nodes.map(({ id }) => id)).not.toContain(idOf("b"));
  // The alpha came back meanwhile: what was restored is not taken into use.
  const whole = sixNodes.map(({ letter }) => answered(letter, sixNodes));
  expect(decide(whole, { restored: lost })).not.toHaveProperty("isRestored", true);
});

test("an alpha that comes back empty, with nobody left who has its data, restores its own slots", () => {
  const slots = [thirds[1] as SlotRange];
  const own = { table: table("b", sixNodes), data: "none" } as const;
  const peers = left.map(({ letter }) => answered(letter, sixNodes));
  const decide = (more: object, snapshot: Observation["snapshot"], policy = lostPolicy.policy) =>
    plan(
      observation(self("b", { ...own, ...more }), peers, {
        unchangedMs: 3_600_000,
        policy,
        snapshot,
      }),
    );
  expect(decide({}, "unknown").kind).toBe("find-snapshot");
  expect(decide({}, "found")).toMatchObject({ kind: "restore", slots });
  expect(decide({ restored: slots }, "found")).not.toMatchObject({ kind: "restore" });
  expect(decide({}, "none").kind).not.toBe("restore");
  expect(decide({ data: "aof" }, "found").kind).not.toBe("restore");
  // Its beta has the data: that one is promoted, as ever.
  const beta = sixNodes
    .filter(({ letter }) => letter !== "b")
    .map(({ letter }) => answered(letter, sixNodes));
  const it = plan(observation(self("b", own), beta, { ...lostPolicy, snapshot: "found" }));
  expect(it.reason).toContain("promoting node-e");
});
