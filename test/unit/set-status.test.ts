/** What a person is told of a set: one alpha, its betas, the Sentinels. */
import { describe, expect, test } from "vitest";
import type {
  Acquaintance,
  PeerView,
  RunningServer,
  SentinelView,
} from "../../src/replication/types.ts";
import { describeSet } from "../../src/status/describe-set.ts";
import { renderSet } from "../../src/status/render-set.ts";
import { runningServer } from "./servers-under-test.ts";

const addressOf = (ordinal: number, port = 6379) => ({
  ip: `10.0.0.${ordinal + 1}`,
  port,
  busPort: 16_379,
});
const node = (ordinal: number, more: Partial<RunningServer> = {}): PeerView => ({
  name: `redis-${ordinal}`,
  address: addressOf(ordinal),
  seen: runningServer(`run-${ordinal}`, {
    keys: 12,
    alphaAt: { host: addressOf(0).ip, port: 6379 },
    ...more,
  }),
});
const alpha = (ordinal: number): PeerView =>
  node(ordinal, { role: "alpha", alphaAt: undefined, inSync: false });
const silent = (ordinal: number): PeerView => ({
  name: `redis-${ordinal}`,
  address: addressOf(ordinal),
  seen: { state: "silent", why: "nothing listens there yet" },
});
const known = (ordinals: readonly number[], port = 6379): readonly Acquaintance[] =>
  ordinals.map((one) => ({ host: addressOf(one).ip, port, isDown: false }));
const sentinel = (
  ordinal: number,
  named?: number,
  betas: readonly Acquaintance[] = [],
  others = known(
    [0, 1, 2].filter((one) => one !== ordinal),
    26_379,
  ),
): SentinelView => ({
  name: `10.0.0.${ordinal + 1}:26379`,
  address: addressOf(ordinal, 26_379),
  seen:
    named === undefined
      ? { state: "silent", why: "no answer" }
      : {
          state: "knows",
          alpha: { host: addressOf(named).ip, port: 6379 },
          promoted: undefined,
          epoch: 1,
          flags: ["master"],
          isContent: true,
          betas,
          sinceInfoMs: 0,
          others,
        },
});
const all = (named: number, ...betas: readonly number[]) =>
  [0, 1, 2].map((one) => sentinel(one, named, known(betas)));
const problemsOf = (peers: readonly PeerView[], sentinels = all(0)) =>
  describeSet({ peers, sentinels }, "mymaster").problems;

test("one alpha, whom all betas copy and all Sentinels name: whole", () => {
  const whole = describeSet(
    { peers: [alpha(0), node(1), node(2)], sentinels: all(0, 1, 2) },
    "mymaster",
  );
  expect(whole).toMatchObject({ state: "whole", nodes: 3, problems: [], warnings: [] });
  expect(whole.alpha?.name).toBe("redis-0");
  expect(whole.betas.map(({ name, lagBytes }) => [name, lagBytes])).toEqual([
    ["redis-1", 0],
    ["redis-2", 0],
  ]);
  expect(renderSet(whole, { width: 80, colours: false })).toBe(
    [
      " ● whole   mymaster: 3 nodes, 3 Sentinels, 12 keys",
      "",
      " ● alpha redis-0                      12 keys",
      "   10.0.0.1:6379",
      " ● beta  redis-1                      in sync",
      "   10.0.0.2:6379",
      " ● beta  redis-2                      in sync",
      "   10.0.0.3:6379",
      "",
      " Sentinels",
      " ● 10.0.0.1:26379 names redis-0",
      " ● 10.0.0.2:26379 names redis-0",
      " ● 10.0.0.3:26379 names redis-0",
    ].join("\n"),
  );
});

describe("what is wrong is said in words", () => {
  test("a node or a Sentinel that does not answer", () => {
    expect(
      problemsOf([alpha(0), silent(1)], [sentinel(0, 0), sentinel(1, 0), sentinel(2)]),
    ).toEqual([
      "redis-1 does not answer: nothing listens there yet",
      "the Sentinel 10.0.0.3:26379 does not answer: no answer",
    ]);
  });
  test("no alpha, or two", () => {
    const none = describeSet({ peers: [node(1)], sentinels: all(0) }, "mymaster");
    expect(none.state).toBe("down");
    expect(none.problems[0]).toBe("no node is the alpha: nobody takes writes");
    expect(problemsOf([alpha(0), alpha(1)])).toEqual([
      "redis-0 and redis-1 are both alphas: what one of them takes will be lost",
    ]);
  });
  test("a beta that copies somebody else, or is not in sync", () => {
    const wrong = { host: "10.0.0.9", port: 6379 };
    expect(
      problemsOf([alpha(0), node(1, { alphaAt: wrong }), node(2, { inSync: false })], all(0, 1, 2)),
    ).toEqual([
      "redis-1 copies 10.0.0.9:6379, not redis-0",
      "redis-2 is not in sync with its alpha",
    ]);
  });
  test("Sentinels that name another, and too few of them", () => {
    const sentinels = [sentinel(0, 1), sentinel(1), sentinel(2)];
    expect(problemsOf([alpha(0), node(1)], sentinels).slice(0, 2)).toEqual([
      "no majority of Sentinels answers: a lost alpha would not be replaced",
      "the Sentinel 10.0.0.1:26379 names redis-1",
    ]);
  });
  test("a beta that only the Sentinels still know", () => {
    expect(problemsOf([alpha(0), node(1)], all(0, 1, 8))).toEqual([
      "the Sentinels still list the beta 10.0.0.9:6379, and no node is there",
    ]);
  });
  test("a Sentinel that has yet to hear of a beta, or of another Sentinel", () => {
    const deaf = [sentinel(0, 0, known([1])), sentinel(1, 0, known([1, 2]), known([2], 26_379))];
    expect(
      problemsOf([alpha(0), node(1), node(2)], [...deaf, sentinel(2, 0, known([1, 2]))]),
    ).toEqual([
      "the Sentinel 10.0.0.1:26379 knows 1 of 2 betas",
      "the Sentinel 10.0.0.2:26379 knows 1 of 2 other Sentinels",
    ]);
  });
  test("nobody answers", () => {
    const nobody = describeSet({ peers: [silent(0)], sentinels: [] }, "mymaster");
    expect(nobody.state).toBe("unreachable");
    expect(renderSet(nobody, { width: 80, colours: false })).toContain("✗ nobody answers");
  });
});

test("what would not survive is worth knowing", () => {
  const even = [sentinel(0, 0), sentinel(1, 0)];
  expect(describeSet({ peers: [alpha(0)], sentinels: even }, "mymaster").warnings).toEqual([
    "there is no beta: with the alpha all data is lost",
    "2 Sentinels bear no more failures than 1",
  ]);
});
