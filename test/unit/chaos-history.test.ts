/** The checker of histories finds each kind of violation, and nothing where all is well. */
import { expect, test } from "vitest";
import { allowedLoss, type LossRules } from "../chaos/allowed-loss.ts";
import { checkHistory } from "../chaos/check-history.ts";
import type { Strike } from "../chaos/faults.ts";
import type { Final, Read, Write } from "../chaos/history.ts";

const never = () => undefined;

/** The nth write: answered 5 ms after it was asked, before the next is. */
const write = (n: number, more: Partial<Write> = {}): Write => ({
  client: "c",
  node: "n1#1",
  key: "l",
  token: `t${n}`,
  callMs: n * 10,
  returnMs: n * 10 + 5,
  result: "ok",
  ...more,
});
const read = (atMs: number, numbers: readonly number[], more: Partial<Read> = {}): Read => ({
  node: "n1#1",
  role: "alpha",
  key: "l",
  callMs: atMs,
  returnMs: atMs + 1,
  tokens: numbers.map((n) => `t${n}`),
  ...more,
});
const final = (numbers: readonly number[], more: Partial<Final> = {}): Final => ({
  node: "n1#1",
  role: "alpha",
  lists: new Map([["l", numbers.map((n) => `t${n}`)]]),
  ...more,
});
const three = [write(1), write(2), write(3)];
const kindsOf = (
  writes: readonly Write[],
  finals: readonly Final[],
  reads: readonly Read[] = [],
): readonly string[] => [
  ...new Set(checkHistory({ writes, reads, finals }, never).violations.map(({ kind }) => kind)),
];

test("a history in which all is well has no violation", () => {
  const writes = [
    ...three,
    write(4, { result: "unknown" }),
    write(5, { result: "unknown" }),
    write(6, { result: "fail" }),
  ];
  const finals = [final([1, 2, 3, 5]), final([1, 2, 3, 5], { node: "n2#1", role: "beta" })];
  const reads = [
    read(8, []),
    read(16, [1]),
    read(26, [1, 2]),
    read(30, [1], { node: "n2#1", role: "beta" }),
  ];
  expect(kindsOf(writes, finals, reads)).toEqual([]);
});

test("an acknowledged write that is gone is lost", () => {
  expect(kindsOf(three, [final([1, 3])])).toEqual(["lost"]);
});

test("a write that is there twice is duplicated, acknowledged or not", () => {
  expect(kindsOf(three, [final([1, 2, 2, 3])])).toEqual(["duplicated"]);
  expect(kindsOf([write(1, { result: "unknown" })], [final([1, 1])])).toEqual(["duplicated"]);
});

test("a refused write must not be there, at the end or in between", () => {
  const writes = [write(1), write(2, { result: "fail" })];
  expect(kindsOf(writes, [final([1, 2])])).toEqual(["failed but there"]);
  expect(kindsOf(writes, [final([1])], [read(50, [1, 2])])).toEqual(["failed but there"]);
});

test("what nobody wrote must not be there", () => {
  expect(kindsOf(three, [final([1, 2, 3, 9])])).toEqual(["never written"]);
  const lists = new Map([["other", ["t1"]]]);
  expect(kindsOf(three, [final([1, 2, 3]), final([], { lists })])).toEqual(["never written"]);
});

test("whoever was answered first stands first, whichever client asked", () => {
  expect(kindsOf(three, [final([1, 3, 2])])).toEqual(["re-ordered"]);
  const twoClients = [write(1), write(2, { client: "d" })];
  expect(kindsOf(twoClients, [final([2, 1])])).toEqual(["re-ordered"]);
  // Both were under way at the same time: either order will do.
  expect(kindsOf([write(1, { returnMs: 30 }), write(2)], [final([2, 1])])).toEqual([]);
});

test("a read shows the order of the end", () => {
  expect(kindsOf(three, [final([1, 2, 3])], [read(50, [2, 1, 3])])).toEqual(["re-ordered"]);
});

test("a node does not show less than it has shown, but after a restart", () => {
  const beta = { node: "n2#1", role: "beta" } as const;
  const back = [read(50, [1, 2, 3], beta), read(60, [1, 2], beta)];
  expect(kindsOf(three, [final([1, 2, 3])], back)).toEqual(["read went back"]);
  const restarted = [read(50, [1, 2, 3], beta), read(60, [], { ...beta, node: "n2#2" })];
  expect(kindsOf(three, [final([1, 2, 3])], restarted)).toEqual([]);
});

test("an alpha shows what it has acknowledged", () => {
  expect(kindsOf(three, [final([1, 2, 3])], [read(50, [1, 2])])).toEqual(["own write unseen"]);
});

test("a beta has what its alpha has when all is quiet", () => {
  const beta = final([1, 2], { node: "n2#1", role: "beta" });
  expect(kindsOf(three, [final([1, 2, 3]), beta])).toEqual(["copies differ"]);
});

const strike = (more: Partial<Strike> = {}): Strike => ({
  episode: 0,
  kind: "kill",
  node: "n1",
  role: "alpha",
  shard: 0,
  startedMs: 10_000,
  endedMs: 12_000,
  observed: "",
  ...more,
});
const allowance = (strikes: readonly Strike[], more: Partial<LossRules> = {}) =>
  allowedLoss({ topology: "cluster", nodeTimeoutMs: 3_000, strikes, demotions: [], ...more });
const at = (ms: number, more: Partial<Write> = {}) =>
  write(0, { callMs: ms, returnMs: ms + 1, ...more });

test("a crash may cost the last moment of the node that crashed, and nothing else", () => {
  const mayLose = allowance([strike()]);
  expect(mayLose(at(9_900))).toContain("kill");
  expect(mayLose(at(5_000))).toBeUndefined();
  expect(mayLose(at(20_000))).toBeUndefined();
  expect(mayLose(at(9_900, { node: "n2#1" }))).toBeUndefined();
});

test("what every beta had by the word of WAIT outlives one node, not two", () => {
  const copied = at(9_900, { copies: 1 });
  expect(allowance([strike()])(copied)).toBeUndefined();
  expect(allowance([strike(), strike({ node: "n4", role: "beta" })])(copied)).toContain(
    "another node",
  );
  expect(allowance([strike(), strike({ node: "n5", shard: 1 })])(copied)).toBeUndefined();
  // Under Sentinel one copy may be at the beta that is not promoted.
  expect(allowance([strike()], { topology: "sentinel" })(copied)).toContain("kill");
});

test("a hand-over may cost nothing", () => {
  expect(
    allowance([strike({ kind: "drain" }), strike({ kind: "roll" })])(at(10_500)),
  ).toBeUndefined();
});

test("an alpha that is cut off may lose until it notices; under Sentinel until it is a beta", () => {
  const cut = strike({ kind: "cut", endedMs: 25_000 });
  expect(allowance([cut])(at(13_000))).toContain("cut");
  expect(allowance([cut])(at(16_000))).toBeUndefined();
  expect(allowance([cut], { topology: "sentinel" })(at(16_000))).toContain("cut");
});
