/** Who is the alpha under Sentinel: asked of the Sentinels, of the servers, and at last of the disks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plan } from "../../src/replication/plan.ts";
import type {
  DiskFacts,
  Observation,
  PeerView,
  RunningServer,
  Self,
  SentinelView,
  WaitingEntrypoint,
} from "../../src/replication/types.ts";
import { runningServer } from "./servers-under-test.ts";

const addressOf = (ordinal: number) => ({
  ip: `10.0.0.${ordinal + 1}`,
  port: 6379,
  busPort: 16_379,
});
const placeOf = (ordinal: number) => ({ host: addressOf(ordinal).ip, port: 6379 });
const blank: DiskFacts = { kind: "none", writtenAtMs: 0, wasAlpha: false };
const aof = (writtenAtMs: number, wasAlpha = false): DiskFacts => ({
  kind: "aof",
  writtenAtMs,
  wasAlpha,
});

const self = (ordinal: number, disk: DiskFacts = blank, claims = false): Self => ({
  name: `redis-${ordinal}`,
  hostname: `redis-${ordinal}`,
  address: addressOf(ordinal),
  announcedAs: undefined,
  disk,
  claims,
});
const peer = (ordinal: number, seen: PeerView["seen"]): PeerView => ({
  name: `redis-${ordinal}`,
  address: addressOf(ordinal),
  seen,
});
const waiting = (ordinal: number, disk: DiskFacts = blank, claims = false): PeerView =>
  peer(ordinal, { state: "waiting", hostname: `redis-${ordinal}`, disk, claims });
const silent = (ordinal: number): PeerView => peer(ordinal, { state: "silent", why: "no answer" });
const server = (ordinal: number, more: Partial<RunningServer>): PeerView =>
  peer(ordinal, runningServer(`run-${ordinal}`, more));
/** So many, at addresses that nobody asks. */
const betas = (count: number) =>
  Array.from({ length: count }, () => ({ host: "10.9.9.9", port: 6379 }));
const alpha = (ordinal: number, more: Partial<RunningServer> = {}): PeerView =>
  server(ordinal, { role: "alpha", betas: betas(1), inSync: false, ...more });
const beta = (ordinal: number, more: Partial<RunningServer> = {}): PeerView =>
  server(ordinal, more);

const sentinel = (
  ordinal: number,
  named: number | undefined,
  flags = "master",
  isContent = true,
): SentinelView => ({
  name: `redis-${ordinal}`,
  address: { ...addressOf(ordinal), port: 26_379 },
  seen:
    named === undefined
      ? { state: "silent", why: "no answer" }
      : {
          state: "knows",
          alpha: { host: addressOf(named).ip, port: 6379 },
          promoted: undefined,
          epoch: 1,
          flags: flags.split(","),
          isContent,
          betas: [],
          sinceInfoMs: 0,
          others: [],
        },
});
/** Three Sentinels, each naming the node of this ordinal, or silent. */
const sentinels = (...named: readonly (number | undefined)[]): readonly SentinelView[] =>
  named.map((ordinal, index) => sentinel(index, ordinal));

const decide = (
  own: Self,
  peers: readonly PeerView[],
  more: Partial<Pick<Observation, "sentinels" | "unchangedMs" | "snapshot">> = {},
) =>
  plan({
    policy: { nodes: 3, peerWaitMs: 10_000 },
    self: own,
    peers,
    sentinels: [],
    unchangedMs: 0,
    ...more,
  });
const becomes = (decision: ReturnType<typeof plan>) =>
  decision.kind === "become" ? (decision.alpha?.name ?? "alpha") : decision.kind;

describe("the majority of the Sentinels has the last word", () => {
  test("who was the alpha and comes back is a beta of the one that was elected meanwhile", () => {
    const decision = decide(self(0, aof(9_000, true)), [alpha(1), beta(2)], {
      sentinels: sentinels(1, 1, 1),
    });
    expect(decision).toMatchObject({ kind: "become", alpha: { name: "redis-1" } });
    expect(decision.reason).toContain("what it wrote as an alpha and they did not copy is dropped");
  });
  test("of two alphas the one that they name wins, however many betas the other has", () => {
    const both = [alpha(1, { betas: betas(0) }), alpha(2, { betas: betas(5) })];
    expect(becomes(decide(self(0), both, { sentinels: sentinels(1, 1, undefined) }))).toBe(
      "redis-1",
    );
  });
  test("a minority may be cut off, and has none", () => {
    const both = [alpha(1, { betas: betas(0) }), alpha(2, { betas: betas(1) })];
    expect(becomes(decide(self(0), both, { sentinels: sentinels(1, undefined, 2) }))).toBe(
      "redis-2",
    );
  });
  test("one that does not answer is left to them to replace", () => {
    const decision = decide(self(2), [silent(0), beta(1)], {
      sentinels: sentinels(0, 0, 0),
      unchangedMs: 60_000,
    });
    expect(decision).toMatchObject({
      kind: "wait",
      reason: "the alpha redis-0 does not answer; the Sentinels will promote redis-1",
    });
  });
  test("by name too, as a headless service gives it", () => {
    const byName = [0, 1, 2].map((ordinal) => {
      const view = sentinel(ordinal, 1);
      const named = { host: "redis-1.redis.shop.svc.cluster.local", port: 6379 };
      return { ...view, seen: { ...view.seen, alpha: named } as SentinelView["seen"] };
    });
    expect(becomes(decide(self(0), [alpha(1)], { sentinels: byName }))).toBe("redis-1");
  });
  test("by the name that it announces, and by its address while not all have changed to names", () => {
    const named = { host: "first.example", port: 6379 };
    const mixed = sentinels(1, 1, 1).map((view, index) =>
      index < 2 ? { ...view, seen: { ...view.seen, alpha: named } as SentinelView["seen"] } : view,
    );
    const both = [{ ...alpha(1), announcedAs: "first.example" }, alpha(2, { betas: betas(5) })];
    const by = (...ordinals: number[]) => ({
      sentinels: ordinals.map((one) => mixed[one] as SentinelView),
    });
    expect(becomes(decide(self(0), both, by(0, 1, 2)))).toBe("redis-1");
    expect(becomes(decide(self(0), both, by(1, 2)))).toBe("redis-1");
    // It was the alpha under this name, and has another address now.
    const own = { ...self(0, aof(1, true)), announcedAs: "first.example" };
    expect(becomes(decide(own, [beta(2)], by(0, 1)))).toBe("alpha");
  });
});

describe("rule 3: an empty alpha never leads betas that have data", () => {
  const mine = { sentinels: sentinels(0, 0, 0) };
  test.each<[string, DiskFacts]>([
    ["in memory only", { ...blank, wasAlpha: true }],
    ["with an old snapshot", { kind: "rdb", writtenAtMs: 1_000, wasAlpha: true }],
  ])("%s: the Sentinels are made to promote a beta", (_, disk) => {
    expect(decide(self(0, disk), [beta(1), beta(2)], mine)).toMatchObject({
      kind: "act",
      steps: [{ kind: "fail-over", at: { name: "redis-0" } }],
      report: "Promoted",
    });
  });
  test("not while one of them may be about to elect by itself: that would be two failovers", () => {
    const uneasy = [sentinel(0, 0), sentinel(1, 0, "master", false), sentinel(2, 0)];
    expect(decide(self(0), [beta(1)], { sentinels: uneasy }).kind).toBe("wait");
  });
  test("one that knows the beta is asked, and all are told of those that were this alpha's", () => {
    const [first, second, third] = mine.sentinels as [SentinelView, SentinelView, SentinelView];
    const knows = {
      ...second,
      seen: { ...second.seen, betas: [{ ...placeOf(1), isDown: false }] } as SentinelView["seen"],
    };
    const peers = [beta(1, { alphaAt: placeOf(0) }), beta(2, { alphaAt: placeOf(3) })];
    expect(decide(self(0), peers, { sentinels: [first, knows, third] })).toMatchObject({
      steps: [{ kind: "fail-over", at: { name: "redis-1" } }],
      abdicatesTo: [placeOf(1)],
    });
    const electing = [0, 1, 2].map((one) => sentinel(one, 0, "master,s_down,o_down"));
    expect(decide(self(0), peers, { sentinels: electing })).toMatchObject({
      kind: "wait",
      abdicatesTo: [placeOf(1)],
    });
    // With all that it acknowledged it leads again: nobody is to take it for down.
    expect(decide(self(0, aof(1, true)), peers, { sentinels: electing })).not.toHaveProperty(
      "abdicatesTo",
    );
  });
  test("with an append-only file it has all that it acknowledged, and leads again", () => {
    expect(becomes(decide(self(0, aof(1_000, true)), [beta(1)], mine))).toBe("alpha");
  });
  test("but not while one of them may have begun an election: a failover goes on though the alpha is back", () => {
    const uneasy = [sentinel(0, 0), sentinel(1, 0, "master,s_down", false), sentinel(2, 0)];
    const at = (unchangedMs: number) =>
      decide(self(0, aof(1_000, true)), [beta(1)], { sentinels: uneasy, unchangedMs });
    expect(at(0).kind).toBe("wait");
    // One that cannot reach this node stays uneasy for ever.
    expect(becomes(at(10_000))).toBe("alpha");
  });
  test("a Sentinel that knows the beta is asked: one that was not told of it yet has nobody to promote", () => {
    const knowing = sentinel(2, 0);
    const { ip } = addressOf(1);
    const known = [{ host: ip, port: 6379, isDown: false }];
    const second = { ...knowing, seen: { ...knowing.seen, betas: known } } as SentinelView;
    const decision = decide(self(0), [beta(1)], { sentinels: [...sentinels(0, 0), second] });
    expect(decision).toMatchObject({ steps: [{ kind: "fail-over", at: { name: "redis-2" } }] });
  });
  test("nor one whom the Sentinels still name, when another was promoted a moment ago", () => {
    const promoted = [alpha(1, { betas: betas(0) }), beta(2, { keys: 0, offset: 0 })];
    const at = (disk: DiskFacts, unchangedMs: number) =>
      becomes(decide(self(0, disk), promoted, { ...mine, unchangedMs }));
    expect([at(blank, 0), at(blank, 10_000)]).toEqual(["wait", "redis-1"]);
    // With all that it acknowledged it is the one that they name, and wins.
    expect([at(aof(1), 0), at(aof(1), 10_000)]).toEqual(["wait", "alpha"]);
  });
  test("it leads again when they are content with it, or nothing has changed for long", () => {
    const leads = (flags: string, isContent: boolean, unchangedMs: number) => {
      const doubting = [sentinel(0, 0), sentinel(1, 0, flags, isContent), sentinel(2, 0)];
      return becomes(
        decide(self(0, aof(1, true)), [beta(1)], { sentinels: doubting, unchangedMs }),
      );
    };
    expect([leads("s_down,master", false, 0), leads("master", false, 0)]).toEqual(["wait", "wait"]);
    expect(leads("master", true, 0)).toBe("alpha");
    expect(leads("s_down,master", false, 10_000)).toBe("alpha");
  });
  test("while they elect, it waits", () => {
    const electing = [0, 1, 2].map((one) => sentinel(one, 0, "master,s_down,o_down"));
    expect(decide(self(0, aof(1, true)), [beta(1)], { sentinels: electing }).kind).toBe("wait");
    // One that is still at it names the one before.
    const late = [sentinel(0, 0), sentinel(1, 0), sentinel(2, 1, "master,failover_in_progress")];
    expect(decide(self(0), [beta(1)], { sentinels: late }).kind).toBe("wait");
  });
  test("without Sentinels the beta with most data is promoted, by one node, after a while", () => {
    const views = [beta(1, { offset: 5 }), beta(2, { offset: 7 })];
    expect(decide(self(0), views).kind).toBe("wait");
    expect(decide(self(0), views, { unchangedMs: 10_000 })).toMatchObject({
      kind: "act",
      steps: [{ kind: "promote", at: { name: "redis-2" } }],
    });
    const [heir] = views;
    expect(decide(self(2), [waiting(0), heir as PeerView], { unchangedMs: 10_000 })).toMatchObject({
      kind: "wait",
      reason: "redis-0 promotes redis-1",
    });
  });
  test("nor is a disk with data given up for an alpha that never held any", () => {
    const empty = alpha(1, { keys: 0, offset: 0, betas: betas(0) });
    expect(decide(self(0, aof(1_000)), [empty])).toMatchObject({ kind: "refuse", exit: "refused" });
    expect(becomes(decide(self(0), [empty]))).toBe("redis-1");
  });
});

describe("nobody runs: the newest data leads", () => {
  test("whatever its ordinal, and whomever the Sentinels remember", () => {
    const [old, newest] = [aof(1_000, true), aof(9_000)];
    const remembering = { sentinels: sentinels(0, 0, 0) };
    const own = self(2, newest);
    const others = [waiting(0, old), waiting(1, old)];
    expect(decide(own, others, remembering).kind).toBe("claim");
    expect(becomes(decide({ ...own, claims: true }, others, remembering))).toBe("alpha");
    expect(decide(self(0, old), [waiting(1, old), waiting(2, newest)], remembering)).toMatchObject({
      kind: "wait",
      reason: "redis-2 has the newest data and becomes the alpha",
    });
  });
  test("of data as new as others', the last alpha's; of no data at all, ordinal 0", () => {
    const alike = [waiting(0, aof(9_000)), waiting(1, aof(8_500))];
    expect(decide(self(2, aof(8_000, true)), alike).kind).toBe("claim");
    expect(decide(self(0), [waiting(1), waiting(2)]).kind).toBe("claim");
    expect(decide(self(1), [waiting(0), waiting(2)]).kind).toBe("wait");
  });
  test("all are waited for, for a while; then a majority is enough, and less never is", () => {
    const at = (unchangedMs: number, ...peers: readonly PeerView[]) =>
      decide(self(0, aof(9_000)), peers, { unchangedMs }).kind;
    expect([at(9_000, waiting(1), silent(2)), at(10_000, waiting(1), silent(2))]).toEqual([
      "wait",
      "claim",
    ]);
    expect(at(3_600_000, silent(1), silent(2))).toBe("wait");
    expect(at(3_600_000)).toBe("wait");
  });
  test("a first pod whose fellows are started when it is ready starts alone, if it has nothing to lose", () => {
    const alone = (own: Self) => decide(own, [], { unchangedMs: 10_000 }).kind;
    expect([alone(self(0)), alone(self(1)), alone(self(0, aof(1)))]).toEqual([
      "claim",
      "wait",
      "wait",
    ]);
  });
  test("one that loads its data is waited for however long it takes", () => {
    const loading = peer(1, { state: "silent", why: "it is loading its data", isLoading: true });
    const decision = decide(self(0, aof(9_000)), [loading, waiting(2)], { unchangedMs: 3_600_000 });
    expect(decision).toEqual({ kind: "wait", reason: "redis-1 is loading its data" });
  });
  test("who claims and sees a better one yields; who sees another's claim waits for its end", () => {
    expect(decide(self(1, aof(1), true), [waiting(0, aof(9_000)), waiting(2)]).kind).toBe("yield");
    expect(decide(self(0, aof(9_000), true), [waiting(1, aof(1), true), waiting(2)]).kind).toBe(
      "wait",
    );
  });
});

test("whatever the disks, at most one node leads, whenever they arrive and however they take turns", () => {
  const disk = fc.record({
    kind: fc.constantFrom("none", "aof"),
    writtenAtMs: fc.integer({ min: 1, max: 8_000 }),
    wasAlpha: fc.boolean(),
  });
  const doings = fc.constantFrom("look", "act");
  const turns = fc.array(fc.record({ who: fc.nat({ max: 2 }), what: doings }), {
    minLength: 10,
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.tuple(disk, disk, disk), turns, (disks, order) => {
      const facts = disks.map(
        ({ kind, writtenAtMs, wasAlpha }) =>
          ({ kind, writtenAtMs: kind === "none" ? 0 : writtenAtMs, wasAlpha }) as DiskFacts,
      );
      const claims = [false, false, false];
      const [here, leads] = [new Set<number>(), new Set<number>()];
      const viewOf = (one: number): PeerView => {
        if (leads.has(one)) return alpha(one);
        return here.has(one) ? waiting(one, facts[one], claims[one]) : silent(one);
      };
      /** What each saw when it looked last: by the time that it acts, the others have gone on. */
      const seen: (Observation | undefined)[] = [undefined, undefined, undefined];
      for (const { who, what } of order) {
        if (leads.has(who)) continue;
        here.add(who);
        if (what === "look") {
          seen[who] = {
            policy: { nodes: 3, peerWaitMs: 10_000 },
            self: self(who, facts[who], claims[who]),
            peers: [0, 1, 2].filter((one) => one !== who).map(viewOf),
            sentinels: [],
            // Whoever is missing is not waited for: a majority is enough.
            unchangedMs: 10_000,
          };
        }
        const observation = seen[who];
        if (what !== "act" || observation === undefined) continue;
        seen[who] = undefined;
        const decision = plan(observation);
        if (decision.kind === "claim") claims[who] = true;
        if (decision.kind === "yield") claims[who] = false;
        if (decision.kind === "become" && decision.alpha === undefined) leads.add(who);
      }
      expect(leads.size).toBeLessThanOrEqual(1);
    }),
    { numRuns: 20_000, seed: 7 },
  );
});

test("a wrong password is refused at once, with what to change", () => {
  const denied = peer(1, { state: "denied", why: "WRONGPASS" });
  expect(decide(self(0), [denied])).toMatchObject({ kind: "refuse", exit: "configuration" });
  const other: WaitingEntrypoint = { state: "waiting", hostname: "h", disk: blank, claims: false };
  expect(decide(self(0), [denied, peer(2, other)]).kind).toBe("wait");
});

test("the first node of a set that has nothing restores before it leads, and nobody else does", () => {
  const decideWith = (own: Self, peers: readonly PeerView[], snapshot: Observation["snapshot"]) =>
    decide(own, peers, { snapshot });
  const others = [waiting(1), waiting(2)];
  const first = self(0, blank, true);
  expect(decideWith(self(0), others, "unknown").kind).toBe("claim");
  expect(decideWith(first, others, "unknown").kind).toBe("find-snapshot");
  expect(decideWith(first, others, "found").kind).toBe("restore");
  const ready = { ...first, isRestored: true };
  expect(decideWith(ready, others, "found")).toMatchObject({ kind: "become", report: "Restored" });
  expect(decideWith(first, others, "none")).toMatchObject({ kind: "become", report: "Founded" });
  expect(decideWith(self(1), [waiting(0), waiting(2)], "found").kind).toBe("wait");
  // Where anybody has data, that counts.
  expect(decideWith(first, [waiting(1, aof(5_000)), waiting(2)], "found").kind).toBe("yield");
  expect(decideWith(ready, [alpha(1), waiting(2)], "found")).not.toHaveProperty(
    "report",
    "Restored",
  );
});
