/** The ten safety rules (docs/safety-rules.md), as far as the planner decides them. */
import { describe, expect, test } from "vitest";
import { renderNodesConf } from "../../src/cluster/nodes.ts";
import { plan } from "../../src/cluster/plan.ts";
import { isGoneOrFailed, readTopology } from "../../src/cluster/topology.ts";
import type { PeerView, Plan, Step } from "../../src/cluster/types.ts";
import {
  addressOf,
  answered,
  blank,
  changed,
  idOf,
  observation,
  self,
  silent,
  sixNodes,
  table,
  thirds,
} from "./observations.ts";
import { facts } from "./pods-under-test.ts";

const stepsOf = (decision: Plan): readonly Step[] => ("steps" in decision ? decision.steps : []);
const kinds = (decision: Plan): readonly string[] => [
  ...new Set(stepsOf(decision).map((step) => step.kind)),
];
const forgotten = (decision: Plan): readonly string[] =>
  stepsOf(decision).flatMap((step) => (step.kind === "forget" ? [step.id] : []));
const promoted = (decision: Plan): readonly string[] =>
  stepsOf(decision).flatMap((step) =>
    step.kind === "promote" ? [`${step.at.name} ${step.how}`] : [],
  );
const met = (decision: Plan): readonly string[] =>
  stepsOf(decision).flatMap((step) =>
    step.kind === "meet" && step.whom.seen ? [step.whom.name] : [],
  );
const tableOf = (decision: Plan) => (decision.kind === "become" ? decision.table : undefined);
const myselfIn = (decision: Plan) => tableOf(decision)?.nodes[0];

/** The alpha a is dead; the others say so as `flags`, without a live link. */
const withoutA = (flags: readonly string[] = ["fail"]) =>
  changed(sixNodes, { a: { flags, linkUp: false } });
/** After d was promoted in a's place. */
const promotedD = changed(sixNodes, {
  a: { slots: [], flags: ["fail"], linkUp: false, epoch: 1 },
  d: { alpha: undefined as never, slots: thirds.slice(0, 1), epoch: 4 },
}).map((truth) =>
  truth.letter === "d" ? { letter: "d", slots: thirds.slice(0, 1), epoch: 4 } : truth,
);
const others = (truths: readonly Parameters<typeof answered>[1][number][], letters = "bcdef") =>
  [...letters].map((letter) => answered(letter, truths));

describe("rule 1: a node that owns slots is never forgotten", () => {
  test("a failed alpha is not forgotten while its slots have no new owner, though everybody calls it failed", () => {
    // c is an orphan, so that the newcomer joins and heals at once.
    const truths = withoutA().filter((truth) => !"df".includes(truth.letter));
    const decision = plan(observation(self("9"), others(truths, "bce"), { unchangedMs: 60_000 }));
    expect(decision.kind).toBe("become");
    expect(forgotten(decision)).not.toContain(idOf("a"));
  });
  test("nor while a beta still names it: that beta is waiting for its election", () => {
    const truths = promotedD.map((truth) =>
      truth.letter === "e" ? { ...truth, alpha: "a" } : truth,
    );
    expect(forgotten(plan(observation(self("9"), others(truths))))).not.toContain(idOf("a"));
  });
  test("once its slots are another's it is forgotten, by everybody who knows it", () => {
    const decision = plan(observation(self("9"), others(promotedD)));
    expect(forgotten(decision)).toEqual(Array(5).fill(idOf("a")));
  });
  test("nobody starts while a peer still knows the forgotten one: it would tell us, and we have no ban on it", () => {
    const without = promotedD.filter((truth) => truth.letter !== "a");
    const slow = [answered("b", promotedD), ...others(without, "cdef")];
    expect(plan(observation(self("9"), slow)).kind).toBe("act");
    expect(plan(observation(self("9"), others(without))).kind).toBe("become");
    // A peer that will not forget is no reason to stay away for ever.
    expect(plan(observation(self("9"), slow, { unchangedMs: 60_000 })).kind).toBe("become");
  });
  test("nobody joins before it is clear whether the one that left can be forgotten: a peer may be knocking at its address", () => {
    const knocking = changed(promotedD, { a: { flags: [], linkUp: true } });
    const peers = [answered("b", knocking), ...others(promotedD, "cdef")];
    const unclear = others(knocking);
    expect(plan(observation(self("9"), unclear)).kind).toBe("wait");
    expect(plan(observation(self("9"), unclear, { unchangedMs: 60_000 })).kind).toBe("become");
    expect(forgotten(plan(observation(self("9"), peers)))).toEqual(Array(5).fill(idOf("a")));
  });
});

describe("rule 2: one peer's opinion is never enough", () => {
  test("a node that a single alpha calls failed is not forgotten", () => {
    const fine = changed(promotedD, { a: { flags: [], linkUp: true } });
    const peers = [answered("b", promotedD), ...others(fine, "cdef")];
    expect(forgotten(plan(observation(self("9"), peers)))).toEqual([]);
  });
  test("nor does a minority's opinion count, though all of it agrees", () => {
    const peers = [answered("b", promotedD), answered("e", promotedD), answered("f", promotedD)];
    expect(isGoneOrFailed(readTopology(observation(self("9"), peers)), idOf("a"))).toBe(false);
    const enough = readTopology(observation(self("9"), [...peers, answered("c", promotedD)]));
    expect(isGoneOrFailed(enough, idOf("a"))).toBe(true);
  });
  test("an address that is nobody's any more does not make a node failed while a peer has a live link to it", () => {
    const linked = changed(promotedD, { a: { flags: [], linkUp: true } });
    expect(forgotten(plan(observation(self("9"), others(linked))))).toEqual([]);
    const unlinked = changed(promotedD, { a: { flags: [], linkUp: false } });
    expect(forgotten(plan(observation(self("9"), others(unlinked))))).toContain(idOf("a"));
  });
  test("a failed node whose address is still named may come back, and is not forgotten", () => {
    expect(forgotten(plan(observation(self("9"), [silent("a"), ...others(promotedD)])))).toEqual(
      [],
    );
  });
});

describe("rule 3: a returning alpha never overrules a live beta", () => {
  const returning = (data: "none" | "rdb" | "aof") =>
    self("a", { table: table("a", sixNodes), data });
  const down = changed(sixNodes, { a: { linkUp: false } });

  test.each(["none", "rdb"] as const)("with %s on its disk, its beta is promoted first", (data) => {
    const decision = plan(observation(returning(data), others(down)));
    expect(decision.kind).toBe("act");
    expect(promoted(decision)).toEqual(["node-d force"]);
  });
  test("with an append-only file it has every acknowledged write, and returns as it was", () => {
    const decision = plan(observation(returning("aof"), others(down)));
    expect(decision.kind).toBe("become");
    expect(myselfIn(decision)?.flags).toContain("master");
  });
  test("after the promotion it returns as the new alpha's beta", () => {
    expect(myselfIn(plan(observation(returning("none"), others(promotedD))))).toMatchObject({
      id: idOf("a"),
      alphaId: idOf("d"),
      slots: [],
    });
  });
  test("an empty alpha waits for a beta that does not answer, however long", () => {
    const decision = plan(
      observation(returning("none"), [...others(down, "bcef"), silent("d")], {
        unchangedMs: 3_600_000,
      }),
    );
    expect(decision.kind).toBe("wait");
  });
  test("an empty alpha waits while its beta is in the middle of a sync", () => {
    const peers = [
      ...others(down, "bcef"),
      answered("d", down, { syncing: true, inSync: false, hasFollowed: false }),
    ];
    expect(plan(observation(returning("none"), peers)).kind).toBe("wait");
  });
  test("where nobody can vote, an empty alpha's beta without rivals takes over", () => {
    const peers = [...others(down, "def"), silent("b"), silent("c")];
    expect(promoted(plan(observation(returning("none"), peers)))).toEqual(["node-d takeover"]);
  });
  test("a beta that only has its own old disk does not overrule a snapshot", () => {
    const peers = [
      ...others(down, "bcef"),
      answered("d", down, { hasFollowed: false, inSync: false }),
    ];
    expect(promoted(plan(observation(returning("rdb"), peers)))).toEqual([]);
  });
  test("a beta is asked only once the voters know it as one: it would lose, and be barred for four node timeouts", () => {
    const unknown = down.map((truth) => (truth.letter === "d" ? { letter: "d" } : truth));
    const peers = [...others(unknown, "bcef"), answered("d", down)];
    expect(promoted(plan(observation(returning("none"), peers)))).toEqual([]);
  });
});

test("the last of those that start at once stays for the others; a beta not for its alpha alone, which may be empty and wait for it", () => {
  const young = (letters: string) =>
    [...letters].map((letter) =>
      answered(letter, sixNodes, { uptimeSeconds: 0, clusterOk: false }),
    );
  const lastIs = (letter: string, data: "none" | "aof", others: readonly PeerView[]) => {
    const last = self(letter, { table: table(letter, sixNodes), data });
    return (unchangedMs: number) => plan(observation(last, others, { unchangedMs })).kind;
  };
  const alpha = lastIs("c", "aof", [silent("a"), silent("b"), ...young("def")]);
  expect([alpha(0), alpha(2_000), alpha(10_000)]).toEqual(["wait", "wait", "become"]);
  const beta = lastIs("f", "none", [silent("a"), silent("c"), ...young("bde")]);
  expect([beta(0), beta(2_000), beta(10_000)]).toEqual(["wait", "wait", "become"]);
  expect(lastIs("f", "none", [silent("c"), ...young("abde")])(0)).not.toBe("wait");
  // Of two that are missing the alpha is not one.
  expect(lastIs("f", "none", [silent("a"), ...young("bcde")])(2_000)).toBe("wait");
  // The empty alpha goes on once it sees that its beta has nothing either.
  const empty = (others: readonly PeerView[]) => lastIs("c", "none", others)(0);
  expect(empty([silent("f"), ...young("abde")])).toBe("wait");
  const nothing = answered("f", sixNodes, { uptimeSeconds: 0, keys: 0, hasFollowed: false });
  expect(empty([nothing, ...young("abde")])).toBe("become");
});

describe("rule 4: slots are only given when nobody owns them and nobody can come back with them", () => {
  const lost = changed(sixNodes, {
    a: { flags: ["fail"], linkUp: false },
    d: { flags: ["fail"], linkUp: false },
  });
  const remaining = others(lost, "bcef");

  test("by default the newcomer waits, however long", () => {
    expect(plan(observation(self("9"), remaining, { unchangedMs: 3_600_000 })).kind).toBe("wait");
  });
  test("--on-lost-slots empty: it serves them", () => {
    const policy = { onLostSlots: "empty" as const };
    expect(forgotten(plan(observation(self("9"), remaining, { policy })))).toEqual(
      Array(4).fill(idOf("d")),
    );
    const withoutD = lost.filter((truth) => truth.letter !== "d");
    const decision = plan(observation(self("9"), others(withoutD, "bcef"), { policy }));
    expect(myselfIn(decision)).toMatchObject({ slots: thirds.slice(0, 1), epoch: 4 });
  });
  test("also where the lost alpha was forgotten already, by one that was killed before it had the slots", () => {
    const forgottenA = lost.filter(({ letter }) => !"ad".includes(letter));
    const peers = others(forgottenA, "bcef");
    expect(plan(observation(self("9"), peers)).kind).toBe("wait");
    const decision = plan(observation(self("9"), peers, { policy: { onLostSlots: "empty" } }));
    expect(myselfIn(decision)?.slots).toEqual(thirds.slice(0, 1));
  });
  test("but not while the alpha's or its beta's address is still named", () => {
    for (const letter of "ad") {
      const peers = [...remaining, silent(letter)];
      const decision = plan(
        observation(self("9"), peers, { policy: { onLostSlots: "empty" }, unchangedMs: 3_600_000 }),
      );
      expect(decision.kind).toBe("wait");
    }
  });
  test("nor in a minority", () => {
    const decision = plan(
      observation(self("9"), others(lost, "be"), {
        policy: { onLostSlots: "empty" },
        unchangedMs: 3_600_000,
      }),
    );
    expect(decision.kind).toBe("wait");
  });
  test("nor while the failed alpha's beta lives, and the alpha hangs on to a connection", () => {
    const hanging = changed(sixNodes, { a: { flags: ["fail"], linkUp: true } });
    const policy = { onLostSlots: "empty" as const };
    const decision = plan(observation(self("9"), others(hanging), { policy, unchangedMs: 60_000 }));
    expect(decision.kind).toBe("become");
    expect(myselfIn(decision)?.slots).toEqual([]);
  });
});

describe("rule 5: two coordinators never found two clusters", () => {
  const five = [..."12345"];
  test("only the last by name of those that do not answer coordinates; the others become blank", () => {
    const decision = plan(
      observation(
        self("1"),
        [..."23456"].map((letter) => silent(letter)),
      ),
    );
    expect(decision).toMatchObject({ kind: "become", steps: [], table: undefined });
    expect(
      plan(
        observation(
          self("6"),
          five.map((letter) => silent(letter)),
        ),
      ).kind,
    ).toBe("wait");
  });
  test("a node is claimed first, and given slots only when the claim was seen to be there", () => {
    const first = plan(
      observation(
        self("6"),
        five.map((letter) => blank(letter)),
      ),
    );
    expect(kinds(first)).toEqual(["claim"]);
    const claimed = five.map((letter, index) =>
      answered(letter, [{ letter, epoch: index + 1 }], {
        clusterOk: false,
        keys: 0,
        uptimeSeconds: 0,
      }),
    );
    expect(kinds(plan(observation(self("6"), claimed)))).toEqual(["add-slots"]);
  });
  test("a second coordinator carries on from the first one's claims, whatever order it knows", () => {
    const claimed = five.map((letter, index) =>
      answered(letter, [{ letter, epoch: 5 - index }], {
        clusterOk: false,
        keys: 0,
        uptimeSeconds: 0,
      }),
    );
    const given = stepsOf(plan(observation(self("6"), claimed))).map(
      (step) => step.kind === "add-slots" && [step.at.name, step.slots[0]],
    );
    expect(given).toEqual([
      ["node-5", thirds[0]],
      ["node-4", thirds[1]],
      ["node-3", thirds[2]],
    ]);
  });
  test("with a founded cluster in sight nothing is founded", () => {
    const decision = plan(observation(self("9"), [...others(sixNodes, "abcdef"), blank("7")]));
    expect(kinds(decision)).not.toContain("claim");
    expect(kinds(decision)).not.toContain("add-slots");
  });
});

describe("rule 6: a peer of another cluster is never met", () => {
  const theirs = [
    { letter: "1", slots: [[0, 16_383] as const], epoch: 1 },
    { letter: "2", alpha: "1" },
  ];
  test("a returning node goes on without it", () => {
    const own = self("d", { table: table("d", sixNodes) });
    const decision = plan(observation(own, [...others(sixNodes, "abcef"), answered("1", theirs)]));
    expect(decision.kind).toBe("become");
    expect(met(decision)).not.toContain("node-1");
    expect(tableOf(decision)?.nodes.map((node) => node.id)).not.toContain(idOf("1"));
  });
  test("a new node that sees two clusters refuses to choose", () => {
    const decision = plan(
      observation(self("9"), [...others(sixNodes, "abcdef"), answered("1", theirs)]),
    );
    expect(decision).toMatchObject({ kind: "refuse", exit: "refused" });
    expect(decision.reason).toContain("more than one cluster");
  });
  test("founding refuses a node that has keys or knows strangers", () => {
    for (const odd of [
      blank("5", { keys: 3 }),
      answered("5", [{ letter: "5" }, { letter: "7" }], { keys: 0 }),
    ]) {
      const decision = plan(
        observation(self("6"), [...[..."1234"].map((letter) => blank(letter)), odd]),
      );
      expect(decision.kind).toBe("refuse");
    }
  });
  test("a data folder of another cluster is refused with data, and set aside without", () => {
    const stranger = (data: "none" | "rdb") =>
      self("1", { table: table("1", theirs), data, address: addressOf("9") });
    expect(plan(observation(stranger("rdb"), others(sixNodes, "abcdef")))).toMatchObject({
      kind: "refuse",
      exit: "refused",
    });
    expect(plan(observation(stranger("none"), others(sixNodes, "abcdef"))).kind).toBe("set-aside");
  });
});

describe("rule 7: orphans first, and two that join at once pick different alphas", () => {
  const orphaned = sixNodes.filter((truth) => truth.letter !== "f");
  test("the alpha without a beta gets the newcomer", () => {
    expect(myselfIn(plan(observation(self("9"), others(orphaned, "abcde"))))?.alphaId).toBe(
      idOf("c"),
    );
  });
  test("two newcomers for two orphans", () => {
    const two = sixNodes.filter((truth) => !"ef".includes(truth.letter));
    const chosen = ["8", "9"].map((letter) => {
      const rival = letter === "8" ? "9" : "8";
      return myselfIn(
        plan(
          observation(self(letter), [...others(two, "abcd"), silent(rival)], {
            unchangedMs: 60_000,
          }),
        ),
      )?.alphaId;
    });
    expect(new Set(chosen)).toEqual(new Set([idOf("b"), idOf("c")]));
  });
  test("shard-id is never written into a nodes.conf", () => {
    const decision = plan(observation(self("9"), others(orphaned, "abcde")));
    const written = tableOf(decision);
    expect(written && renderNodesConf(written)).not.toContain("shard-id");
  });
});

describe("rule 8: data is never deleted", () => {
  test("data without a nodes.conf is neither overwritten by joining nor mixed in by founding", () => {
    for (const peers of [others(sixNodes, "abcdef"), [..."12345"].map((letter) => blank(letter))]) {
      expect(plan(observation(self("9", { data: "rdb" }), peers))).toMatchObject({
        kind: "refuse",
        exit: "refused",
      });
    }
  });
  test("a snapshot that the server would ignore is not left to be overwritten", () => {
    const alone = sixNodes.filter((truth) => truth.letter !== "d");
    const own = self("a", { table: table("a", alone), data: "none", unreadSnapshot: true });
    expect(plan(observation(own, others(alone, "bcef")))).toMatchObject({
      kind: "refuse",
      exit: "refused",
    });
  });
});

describe("rule 10: no address of an alpha that was not verified a moment before", () => {
  test("a returning beta does not copy from its alpha's old address", () => {
    const own = self("d", { table: table("d", sixNodes) });
    const decision = plan(
      observation(own, [silent("a"), ...[..."bcef"].map((letter) => silent(letter))], {
        unchangedMs: 60_000,
      }),
    );
    const alpha = tableOf(decision)?.nodes.find((node) => node.id === idOf("a"));
    expect(alpha).toMatchObject({ address: undefined });
    expect(alpha?.flags).toEqual(["master"]);
  });
  describe("all start at once, and nobody but the address tells who is where", () => {
    const everybodySilent = [..."abcef"].map((letter) => silent(letter));
    const returningD = self("d", { table: table("d", sixNodes) });
    const addressesIn = (decision: Plan) =>
      tableOf(decision)?.nodes.flatMap((node) => node.address ?? []) ?? [];

    test("a node that is elsewhere takes it that the others are, too", () => {
      const moved = { ...returningD, address: addressOf("7") };
      const decision = plan(observation(moved, everybodySilent));
      expect(addressesIn(decision)).toEqual([addressOf("7")]);
    });
    test("so does one that sees another elsewhere", () => {
      const moved = { ...answered("f", sixNodes), address: addressOf("7") };
      const decision = plan(observation(returningD, [...everybodySilent.slice(0, 4), moved]));
      expect(addressesIn(decision)).toEqual([addressOf("d"), addressOf("7")]);
    });
    test("a node that is where it was waits for a first answer, a moment long, and then looks for the others where they were", () => {
      const at = (unchangedMs: number) =>
        plan(observation(returningD, everybodySilent, { unchangedMs }));
      expect(at(0).kind).toBe("wait");
      expect(addressesIn(at(1_000))).toHaveLength(5); // All but its alpha.
    });
  });
  test("a member is written down where it answered, not where the old table had it", () => {
    // Its own table still has the address of an earlier life.
    const moved = { ...answered("a", sixNodes), address: addressOf("7") };
    const own = self("d", { table: table("d", sixNodes) });
    const decision = plan(observation(own, [moved, ...others(sixNodes, "bcef")]));
    expect(tableOf(decision)?.nodes.find((node) => node.id === idOf("a"))?.address).toEqual(
      addressOf("7"),
    );
  });
});

describe("a cluster that was founded before", () => {
  const foundedAt = "2026-01-01T00:00:00Z";
  const blanks = [..."abcde"].map((letter) => blank(letter));

  test("and of which nothing is left is founded anew, and it is said that the data is gone", () => {
    const decision = plan(observation(self("f"), blanks, { foundedAt }));
    expect(decision).toMatchObject({ kind: "act", isExclusive: true, report: "DataLost" });
    expect(decision.reason).toContain(`founded at ${foundedAt} is gone with all its data`);
  });
  test("rule 4: a pod that may bring its volume back is waited for", () => {
    const holder = {
      name: "node-9",
      address: undefined,
      pod: facts({ mayHoldData: true }),
      seen: { state: "silent", refused: false, why: "Unschedulable" },
    } as const;
    const decide = (before: string | undefined) =>
      plan(observation(self("f"), [...blanks, holder], { foundedAt: before }));
    expect(decide(foundedAt)).toMatchObject({ kind: "wait" });
    expect(decide(undefined)).toMatchObject({ kind: "act" });
  });
});

test("rule 5: whatever founds is done under the lock", () => {
  const blanks = [..."abcde"].map((letter) => blank(letter));
  expect(plan(observation(self("f"), blanks))).toMatchObject({ kind: "act", isExclusive: true });
});

test("a node that all have forgotten comes back under a new id: the ban of its old one is gossiped", () => {
  const without = sixNodes.filter(({ letter }) => letter !== "f");
  const peers = [..."abcde"].map((letter) => answered(letter, without));
  const idAmong = (others: readonly PeerView[]) => {
    const decision = plan(
      observation(self("f", { table: table("f", sixNodes), data: "aof" }), others),
    );
    return decision.kind === "become" ? decision.table?.nodes[0]?.id : decision.kind;
  };
  expect(idAmong(peers)).toBe("0".repeat(40));
  expect(idAmong([..."abcde"].map((letter) => answered(letter, sixNodes)))).toBe(idOf("f"));
});

test("all are back at once: nobody starts before Kubernetes has told where everybody is", () => {
  const starting = (letter: string): PeerView => ({
    name: `node-${letter}`,
    address: undefined,
    pod: facts({ mayHoldData: true }),
    seen: { state: "silent", refused: false, why: "it is being started" },
  });
  const returning = self("a", { table: table("a", sixNodes), data: "aof", pod: facts() });
  const decide = (unchangedMs: number) =>
    plan(observation(returning, [..."bcdef"].map(starting), { unchangedMs })).kind;
  expect([decide(0), decide(9_000), decide(10_000)]).toEqual(["wait", "wait", "become"]);
});
