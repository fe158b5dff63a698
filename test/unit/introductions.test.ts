/** Who is introduced to whom, and what needs no introduction. */
import { describe, expect, test } from "vitest";
import type { NodeEntry } from "../../src/cluster/nodes.ts";
import { introduce, isCrowd } from "../../src/cluster/plan-introductions.ts";
import type { Member } from "../../src/cluster/types.ts";
import { addressOf, answered, changed, idOf, nameOf, sixNodes } from "./observations.ts";

const member = (letter: string, truths = sixNodes): Member => answered(letter, truths) as Member;
const greetings = (members: readonly Member[]): readonly string[] =>
  introduce(members).map((step) =>
    step.kind === "meet" ? `${step.at.name} greets ${(step.whom as Member).name}` : step.kind,
  );

describe("introductions", () => {
  test("nobody is introduced where all know each other as they are", () => {
    expect(greetings([..."abcdef"].map((letter) => member(letter)))).toEqual([]);
  });

  test("two that do not know each other need one greeting, and of a beta and an alpha the beta gives it", () => {
    const alone = (letter: string) =>
      member(
        letter,
        sixNodes.filter((truth) => truth.letter === letter),
      );
    expect(greetings([alone("a"), alone("e")])).toEqual(["node-e greets node-a"]);
    expect(greetings([alone("e"), alone("a")])).toEqual(["node-e greets node-a"]);
    expect(greetings([alone("a"), alone("b")])).toEqual(["node-a greets node-b"]);
  });

  test("who has an old address, fewer slots or another alpha in mind is greeted by the one concerned", () => {
    for (const old of [
      changed(sixNodes, { b: { address: addressOf("9") } }),
      changed(sixNodes, { b: { slots: [] } }),
    ])
      expect(greetings([member("a", old), member("b")])).toEqual(["node-b greets node-a"]);
    const old = changed(sixNodes, { d: { alpha: "b" } });
    expect(greetings([member("a", old), member("d")])).toEqual(["node-d greets node-a"]);
  });

  test("in a crowd, whose beta a beta is, is left to gossip; slots are not", () => {
    const old = changed(sixNodes, { d: { alpha: "b" }, b: { slots: [] } });
    const crowd = crowdWith(member("a", old), [member("b"), member("d")]);
    expect(isCrowd(crowd)).toBe(true);
    expect(greetings(crowd)).toEqual(["node-b greets node-a"]);
  });
});

/** The listener, the others, and as many betas more as it takes; all know each other but for what the listener has wrong. */
function crowdWith(listener: Member, others: readonly Member[]): readonly Member[] {
  const more = Array.from({ length: 40 }, (_, index): NodeEntry => {
    const base = answered("f", sixNodes) as Member;
    const own = base.seen.table.nodes.find((node) => node.id === idOf("f")) as NodeEntry;
    return {
      ...own,
      id: String(index).padStart(40, "0"),
      address: { ip: `10.0.1.${index}`, port: 6379, busPort: 16_379 },
      flags: ["slave"],
    };
  });
  const widen = (one: Member): Member => ({
    ...one,
    seen: { ...one.seen, table: { ...one.seen.table, nodes: [...one.seen.table.nodes, ...more] } },
  });
  const strangers = more.map((entry): Member => {
    const base = widen(answered("f", sixNodes) as Member);
    const nodes = base.seen.table.nodes.map((node) => ({
      ...node,
      flags: [
        ...node.flags.filter((flag) => flag !== "myself"),
        ...(node.id === entry.id ? ["myself"] : []),
      ],
    }));
    return {
      name: `${nameOf("f")}-${entry.id}`,
      address: entry.address as Member["address"],
      seen: { ...base.seen, id: entry.id, table: { ...base.seen.table, nodes } },
    };
  });
  return [widen(listener), ...others.map(widen), ...strangers];
}
