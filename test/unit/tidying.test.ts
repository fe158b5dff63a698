/** Which Sentinel should forget whom, and when none should. */
import { describe, expect, test } from "vitest";
import { hasStreamFrom } from "../../src/replication/lost-writes.ts";
import { planStrays } from "../../src/replication/plan-strays.ts";
import { planTidying as plan } from "../../src/replication/plan-tidying.ts";
import type {
  Acquaintance,
  Opinion,
  PeerView,
  RunningServer,
  SentinelView,
  ServerPeer,
} from "../../src/replication/types.ts";

const at = (ordinal: number, port = 6379) => ({ host: `10.0.0.${ordinal}`, port });
const known = (ordinal: number, isDown = false, port = 6379): Acquaintance => ({
  ...at(ordinal, port),
  isDown,
});
const server = (ordinal: number, more: Partial<RunningServer> = {}): PeerView => ({
  name: `redis-${ordinal}`,
  address: { ip: at(ordinal).host, port: 6379, busPort: 16_379 },
  seen: {
    state: "server",
    runId: `run-${ordinal}`,
    role: "beta",
    offset: 1,
    keys: 1,
    history: "",
    backlogFrom: 0,
    formerHistory: { id: "", endsAt: -1 },
    betas: [],
    alphaAt: at(1),
    inSync: true,
    ...more,
  },
});
const alpha = (ordinal: number, ...betas: readonly number[]) =>
  server(ordinal, {
    role: "alpha",
    alphaAt: undefined,
    inSync: false,
    betas: betas.map((one) => at(one)),
  });
/** Sentinel 1 knows 2 and 3, and so on. */
const sentinel = (ordinal: number, more: Partial<Opinion> = {}): SentinelView => ({
  name: `redis-${ordinal}`,
  address: { ip: at(ordinal).host, port: 26_379, busPort: 36_379 },
  seen: {
    state: "knows",
    alpha: at(1),
    promoted: undefined,
    epoch: 1,
    flags: ["master"],
    isContent: true,
    sinceInfoMs: 9_500,
    betas: [known(2), known(3)],
    others: [1, 2, 3].filter((one) => one !== ordinal).map((one) => known(one, false, 26_379)),
    ...more,
  },
});
const silent = (ordinal: number): SentinelView => ({
  ...sentinel(ordinal),
  seen: { state: "silent", why: "no answer" },
});

const planTidying = (peers: readonly PeerView[], sentinels: readonly SentinelView[], count = 3) =>
  plan({ peers, sentinels, count, knowsWhoIsGone: true });
const nodes = [alpha(1, 2, 3), server(2), server(3)];
const stale = { betas: [known(2), known(3), known(9, true)] };
const all = (more: Partial<Opinion> = {}) => [1, 2, 3].map((one) => sentinel(one, more));

describe("a beta that is gone", () => {
  test("is forgotten by one Sentinel, then by the next", () => {
    expect(planTidying(nodes, all(stale))).toMatchObject({
      kind: "reset",
      at: { name: "redis-1" },
      reason: "having the Sentinel redis-1 forget 10.0.0.9:6379, where nobody is",
    });
    expect(planTidying(nodes, [sentinel(1), sentinel(2, stale), sentinel(3, stale)])).toMatchObject(
      {
        kind: "reset",
        at: { name: "redis-2" },
      },
    );
    expect(planTidying(nodes, all())).toEqual({ kind: "done" });
  });
  test("by the next only when the one before knows all betas and all Sentinels again", () => {
    for (const more of [
      { betas: [known(2)] },
      { betas: [known(2), known(3, true)] },
      { others: [known(2, false, 26_379)] },
    ]) {
      const looking = [sentinel(1, more), sentinel(2, stale), sentinel(3, stale)];
      expect(planTidying(nodes, looking)).toMatchObject({
        kind: "wait",
        reason: expect.stringContaining("redis-1 has yet to find everybody"),
      });
    }
  });
  test("by each just before it asks the alpha for its betas: until then it knows none", () => {
    expect(planTidying(nodes, all({ ...stale, sinceInfoMs: 5_000 }))).toMatchObject({
      kind: "wait",
      reason: "redis-1 will ask the alpha anew, and then forget 10.0.0.9:6379",
    });
  });
  test("is not gone while discovery names its address, or the alpha is connected to it", () => {
    const unheard: PeerView = { ...server(9), seen: { state: "silent", why: "no answer" } };
    expect(planTidying([...nodes, unheard], all(stale))).toEqual({
      kind: "later",
      reason: "10.0.0.9:6379 is down, and still a node's address",
    });
    expect(
      planTidying(
        [alpha(1, 2, 3, 9), server(2), server(3)],
        all({ betas: [known(2), known(3), known(9)] }),
      ),
    ).toEqual({ kind: "done" });
  });
});

describe("nobody forgets anything", () => {
  test("where discovery cannot tell who is gone from who is cut off: an alpha that comes back must be known", () => {
    const sentinels = all(stale);
    expect(plan({ peers: nodes, sentinels, count: 3, knowsWhoIsGone: false })).toEqual({
      kind: "done",
    });
  });
  const refusal = (peers: readonly PeerView[], sentinels: readonly SentinelView[]) => {
    const tidying = planTidying(peers, sentinels);
    return tidying.kind === "wait" ? tidying.reason.split("; ")[1] : tidying.kind;
  };
  test("while the alpha does not answer: its betas would not be found again", () => {
    const lost: PeerView = { ...server(1), seen: { state: "silent", why: "no answer" } };
    expect(refusal([lost, server(2), server(3)], all(stale))).toMatch(/does not answer/);
    expect(refusal([server(1), server(2), server(3)], all(stale))).toMatch(/does not answer/);
  });
  test("while Sentinels differ, or one of them doubts the alpha or promotes another", () => {
    for (const more of [
      { alpha: at(2) },
      { promoted: at(2) },
      { flags: ["master", "s_down"] },
      { flags: ["master", "failover_in_progress"] },
    ])
      expect(
        refusal(nodes, [
          sentinel(1, stale),
          sentinel(2, { ...stale, ...more }),
          sentinel(3, stale),
        ]),
      ).toMatch(/redis-2 is not at one/);
  });
  test("while no majority of Sentinels answers", () => {
    expect(refusal(nodes, [sentinel(1, stale), silent(2), silent(3)])).toMatch(/no majority/);
    expect(refusal(nodes, [sentinel(1, stale), sentinel(2, stale), silent(3)])).toBe("reset");
  });
});

describe("a Sentinel that is gone", () => {
  const others = [2, 3, 8].map((one) => known(one, one === 8, 26_379));
  test("is forgotten where there are fewer than are known: it counts for the majority", () => {
    expect(planTidying(nodes, [sentinel(1, { others }), sentinel(2), sentinel(3)])).toMatchObject({
      kind: "reset",
      reason: expect.stringContaining("10.0.0.8:26379"),
    });
  });
  test("is not while one is only away: its pod is being replaced", () => {
    const away = (one: number, other: number) =>
      sentinel(one, { others: [known(other, false, 26_379), known(3, true, 26_379)] });
    expect(planTidying(nodes, [away(1, 2), away(2, 1)])).toEqual({ kind: "done" });
    expect(planTidying(nodes, [away(1, 2), away(2, 1)], 2)).toMatchObject({ kind: "reset" });
  });
  test("is not where it may come back at another address, with the id that it had", () => {
    const elsewhere = { others: [known(2, false, 26_379), known(8, true, 26_379)] };
    expect(planTidying(nodes, [sentinel(1, elsewhere), sentinel(2), silent(3)])).toEqual({
      kind: "done",
    });
  });
});

test("an alpha that was cut off is asked for what it took only where it has all of it: else it would begin a full copy", () => {
  const old = { history: "one", backlogFrom: 1, offset: 1_000 };
  const heir = (id: string, endsAt: number) => ({ formerHistory: { id, endsAt } });
  expect(hasStreamFrom(old, heir("one", 801))).toBe(true);
  expect(hasStreamFrom(old, heir("one", 1_001))).toBe(true);
  expect(hasStreamFrom(old, heir("one", 1_002))).toBe(false);
  expect(hasStreamFrom({ ...old, backlogFrom: 802 }, heir("one", 801))).toBe(false);
  expect(hasStreamFrom({ ...old, backlogFrom: 0 }, heir("one", 801))).toBe(false);
  expect(hasStreamFrom(old, heir("two", 801))).toBe(false);
});

describe("a beta that joined just before its alpha was lost", () => {
  /** 1 was the alpha until now, 2 is; 4 copies 1. */
  const since = (ordinal: number, more: Partial<Opinion> = {}) =>
    sentinel(ordinal, { alpha: at(2), betas: [known(1), known(3)], ...more });
  const everybody = [1, 2, 3].map((one) => since(one));
  const lead = alpha(2, 3) as ServerPeer;
  const stray = server(4);
  const peers = [server(1, { alphaAt: at(2) }), lead, server(3, { alphaAt: at(2) }), stray];
  const follow = { kind: "follow", at: stray, alpha: at(2) };

  test("is led to the new one, since no Sentinel knows it", () => {
    expect(planStrays(peers, everybody, lead)?.steps).toEqual([follow]);
  });
  test("is left to the Sentinels where one of them knows it", () => {
    const betas = [known(1), known(3), known(4)];
    expect(planStrays(peers, [since(1, { betas }), since(2), since(3)], lead)).toBeUndefined();
  });
  test("is waited with until the majority of the Sentinels names the new alpha", () => {
    const most = [since(1), sentinel(2), silent(3)];
    expect(planStrays(peers, most, lead)).toMatchObject({ steps: [] });
  });
  test("is none where it copies the alpha already", () => {
    const led = server(4, { alphaAt: at(2) });
    expect(planStrays([...peers.slice(0, 3), led], everybody, lead)).toBeUndefined();
  });
});
