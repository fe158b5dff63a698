/** What a reload decides: what is a change and what was set by hand, what waits for whom, and whose turn it is. */
import { describe, expect, test } from "vitest";
import type { NodeSeen } from "../../src/reload/ask-nodes.ts";
import { compare, type Difference } from "../../src/reload/compare.ts";
import { whyNotAccepted, whyNotTrusted, whyStillInUse } from "../../src/reload/gates.ts";
import { parseOwnConfiguration } from "../../src/reload/own-configuration.ts";
import { planReload, type Situation } from "../../src/reload/plan.ts";
import { planSentinel } from "../../src/reload/plan-sentinel.ts";
import { planUser } from "../../src/reload/plan-users.ts";
import { renderPlan } from "../../src/reload/render-plan.ts";
import { serversWords } from "../../src/reload/servers-words.ts";
import { nextChange, settledAt } from "../../src/reload/settle.ts";
import { whyNotMyTurn } from "../../src/reload/turn.ts";

const facts = (values: Readonly<Record<string, string>>) => new Map(Object.entries(values));

describe("compare", () => {
  test("what Rekindle owns is not compared, and what the file has not changed was set by hand", () => {
    const found = compare({
      running: facts({ port: "1", maxmemory: "5", timeout: "0", same: "x", "user gone": "on" }),
      wanted: facts({ port: "2", maxmemory: "6", timeout: "7", same: "x" }),
      owned: new Set(["port"]),
      wasWanted: (name) => name === "maxmemory",
    });
    expect(found).toEqual([
      { name: "maxmemory", running: "5", wanted: "6", isDrift: true },
      { name: "timeout", running: "0", wanted: "7", isDrift: false },
      { name: "user gone", running: "on", wanted: undefined, isDrift: false },
    ]);
  });
});

const change = (name: string, more: Partial<Difference> = {}): Difference => ({
  name,
  running: "old",
  wanted: "new",
  isDrift: false,
  ...more,
});

const situation = (more: Partial<Situation>): Situation => ({
  differences: [],
  lasting: new Map(),
  enforce: false,
  notAccepted: undefined,
  stillInUse: undefined,
  notTrusted: undefined,
  ...more,
});

describe("the plan", () => {
  test("each difference goes one way: live, at a restart, or left as it was set by hand", () => {
    const differences = [
      change("maxmemory"),
      change("databases"),
      change("loadmodule"),
      change("mod.setting", { running: undefined }),
      change("timeout", { isDrift: true }),
    ];
    const lasting = new Map([["databases", "can't set immutable config"]]);
    const plan = planReload(situation({ differences, lasting }));
    const namesOf = (all: readonly Difference[]) => all.map(({ name }) => name);
    expect(namesOf(plan.settings)).toEqual(["maxmemory"]);
    expect(namesOf(plan.restart)).toEqual(["databases", "loadmodule", "mod.setting"]);
    expect(namesOf(plan.drift)).toEqual(["timeout"]);
    expect(plan.reason).toBe("maxmemory: old → new");
    const enforced = planReload(situation({ differences, lasting, enforce: true }));
    expect(namesOf(enforced.settings)).toEqual(["maxmemory", "timeout"]);
    expect(enforced.drift).toEqual([]);
  });

  test("a password is used when all take it, and the old one goes when nobody uses it", () => {
    const differences = [change("masterauth"), change("requirepass")];
    const early = planReload(
      situation({ differences, notAccepted: "n2: no", stillInUse: "n2: no" }),
    );
    expect([early.settings, early.waiting.length]).toEqual([[], 2]);
    const later = planReload(situation({ differences, stillInUse: "n2: old" }));
    expect(later.settings.map(({ name }) => name)).toEqual(["masterauth"]);
    expect(later.waiting).toEqual(["requirepass: n2: old"]);
    expect(planReload(situation({ differences })).settings.length).toBe(2);
    expect(later.reason).toBe("masterauth: *** → ***");
  });

  test("the table shows how each gets there, and no secret", () => {
    const differences = [
      change("maxmemory"),
      change("user bob", { running: "on #a", wanted: "on #b" }),
    ];
    const shown = renderPlan(planReload(situation({ differences })));
    expect(shown).toMatch(/^maxmemory {2}old +new +live$/m);
    expect(shown).not.toContain("#b");
    expect(renderPlan(planReload(situation({})))).toBe("the server is as the file wants it\n");
  });
});

const hash = (letter: string) => `#${letter.repeat(64)}`;
const [old, fresh, other] = [hash("a"), hash("b"), hash("c")];

describe("a user", () => {
  const rules = (...passwords: string[]) => ["on", ...passwords, "~*", "+@all"].join(" ");

  test("takes old and new passwords until all nodes take the new one", () => {
    const both = planUser(rules(old), rules(fresh), false);
    expect(both).toEqual({ kind: "set", rules: `${fresh} ${old} on ~* +@all`, isLast: false });
    expect(planUser(rules(fresh, old), rules(fresh), false)).toEqual({ kind: "wait" });
    expect(planUser(rules(fresh, old), rules(fresh), true)).toMatchObject({ isLast: true });
    expect(planUser(rules(fresh), rules(fresh), true)).toBeUndefined();
  });

  test("the order of its passwords is no difference", () => {
    expect(planUser(rules(old, fresh), rules(fresh, old), false)).toBeUndefined();
  });

  test.each([
    ["is new", undefined, rules(fresh)],
    ["gets a password more", rules(old), rules(old, fresh)],
    ["loses all of them", rules(old), "off ~* +@all"],
    ["gets other rules", rules(old), `on ${old} ~a:* +get`],
  ])("one that %s waits for nobody", (_, running, wanted) => {
    expect(planUser(running, wanted, false)).toEqual({ kind: "set", rules: wanted, isLast: true });
  });

  test("cut off anywhere it comes to the same end", () => {
    for (const start of [rules(old), rules(old, other), rules(fresh, old), rules(fresh)]) {
      let now = start;
      for (const isEverywhere of [false, false, true, true]) {
        const step = planUser(now, rules(fresh), isEverywhere);
        if (step?.kind === "set") now = step.rules;
        expect(now).toContain(fresh);
      }
      expect(now).toBe(rules(fresh));
    }
  });
});

const node = (
  name: string,
  values: Readonly<Record<string, string>>,
  silent?: string,
): NodeSeen => ({
  name,
  silent,
  isClosed: false,
  facts: facts(values),
});

describe("how far a password has come", () => {
  const passwords = { users: new Map([["default", [fresh]]]), masterauth: "new" };
  const has = (...hashes: string[]) => ({ "user default": `on ${hashes.join(" ")} ~* +@all` });

  test("a node that does not answer, or takes the old one only, is waited for by name", () => {
    expect(whyNotAccepted([node("n1", has(old, fresh))], passwords)).toBeUndefined();
    expect(whyNotAccepted([node("n1", has(old))], passwords)).toBe(
      "n1: does not take the new password yet",
    );
    expect(whyNotAccepted([node("n1", {}, "gone")], passwords)).toBe("n1: gone");
  });

  test("one that enters its alpha with the old one still uses it", () => {
    const using = (masterauth: string) => node("n1", { ...has(fresh), masterauth });
    expect(whyStillInUse([using("old")], passwords)).toBe("n1: still uses the old password");
    expect(whyStillInUse([using("new")], passwords)).toBeUndefined();
  });
});

test("a certificate waits for whoever would not take it, and not for who is away", () => {
  const gone = { ...node("n1", {}, "connect ECONNREFUSED"), isClosed: false };
  const closed = { ...node("n2", {}, "TLS: unknown ca"), isClosed: true };
  expect(whyNotTrusted([node("n0", {}), gone])).toBeUndefined();
  const why = whyNotTrusted([gone, closed]) ?? "";
  expect(why).toMatch(/^n2: TLS: unknown ca; .*the old and the new one first/);
  const differences = [change("tls files"), change("maxmemory")];
  const plan = planReload(situation({ differences, notTrusted: why }));
  expect(plan.settings.map(({ name }) => name)).toEqual(["maxmemory"]);
  expect(plan.waiting).toEqual([`tls files: ${why}`]);
});

describe("the Sentinel beside a node", () => {
  const password = { text: "new", digest: fresh };
  const sentinel = (taken: readonly string[], own = "", name = "s1") => ({
    ...{ name, silent: undefined, taken, own },
  });

  test("takes the new password when the nodes do, uses it when all Sentinels take it, and then gives the old one up", () => {
    const step = (own: typeof started, others: (typeof started)[], notAccepted?: string) =>
      planSentinel(own, password, notAccepted, others);
    const started = sentinel([old]);
    const both = sentinel([old, fresh]);
    const using = sentinel([old, fresh], "new");
    expect(step(started, [], "n1: no")).toEqual({ kind: "wait", why: "n1: no" });
    expect(step(started, [])).toEqual({ kind: "take" });
    expect(step(both, [both, started])).toMatchObject({ kind: "wait" });
    expect(step(both, [both])).toEqual({ kind: "use" });
    expect(step(using, [using, both])).toMatchObject({ kind: "wait" });
    expect(step(using, [using, sentinel([fresh])])).toEqual({ kind: "refuse", digests: [old] });
    expect(step(sentinel([fresh], "new"), [started])).toBeUndefined();
  });

  test("one that does not answer is waited for by name", () => {
    const gone = { ...sentinel([], "", "s3"), silent: "refused" };
    expect(planSentinel(sentinel([old, fresh]), password, undefined, [gone])).toEqual({
      kind: "wait",
      why: "the Sentinel s3: refused",
    });
  });
});

describe("whose turn it is", () => {
  const pending = [change("databases", { running: "16", wanted: "17" })];
  const peer = (name: string, databases: string, role: "alpha" | "beta" = "alpha") => ({
    ...node(name, { databases }),
    role,
  });
  const turn = (self: string, others: ReturnType<typeof peer>[], hasLock = false, isAlpha = true) =>
    whyNotMyTurn({ self, isAlpha, others, pending, hasLock });

  test("without a lock the names say it, and of two never both go", () => {
    expect(turn("n1", [peer("n2", "16"), peer("n10", "16")])).toBeUndefined();
    expect(turn("n2", [peer("n1", "16"), peer("n10", "16")])).toBe("n1 is to be restarted first");
    expect(turn("n2", [peer("n1", "17"), peer("n10", "16")])).toBeUndefined();
    expect(turn("n10", [peer("n1", "17"), peer("n2", "17")])).toBeUndefined();
  });

  test("with a lock betas go first, in any order", () => {
    expect(turn("n1", [peer("n2", "16", "beta")], true)).toBe("n2 is to be restarted first");
    expect(turn("n2", [peer("n1", "16")], true, false)).toBeUndefined();
    expect(turn("n1", [peer("n2", "17", "beta"), peer("n0", "16")], true)).toBeUndefined();
  });

  test("while somebody does not answer nobody goes", () => {
    const gone = { ...peer("n9", "17"), silent: "refused" };
    expect(turn("n1", [gone])).toBe("n9 does not answer: refused");
  });
});

describe("a change of files is complete", () => {
  test("at once where it is swapped as a whole, a moment later where it is written", () => {
    const first = nextChange(undefined, "a", 10_000);
    expect([settledAt(first, true), settledAt(first, false)]).toEqual([10_050, 10_300]);
  });

  test("when they come one after the other, once they have stopped", () => {
    let last = nextChange(nextChange(undefined, "before", 0), "0", 10_000);
    for (let second = 1; second <= 60; second++) {
      last = nextChange(last, `${second}`, 10_000 + second * 1_000);
      expect(settledAt(last, true)).toBe(10_000 + second * 1_000 + 2_000);
    }
  });

  test("soon where it is the first since all was looked at", () => {
    const seen = nextChange(undefined, "before", 10_000);
    expect(settledAt(nextChange(seen, "a", 11_000), true)).toBe(11_050);
  });

  test("parts that are written one after the other are one change", () => {
    const first = nextChange(undefined, "empty", 10_000);
    const second = nextChange(first, "half", 10_020);
    expect(settledAt(second, false)).toBe(10_320);
  });
});

describe("a server's words", () => {
  test("a line of the file is told as it is, but for secrets", () => {
    const said = (line: string) =>
      `\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n>>> '${line}'\nBad directive\n`;
    expect(serversWords(said("foo bar"))).toMatch(/at line 2 >>> 'foo bar' Bad directive$/);
    for (const secret of [
      "requirepass a b",
      "user a on >hidden (",
      "masterauth x y",
      "TLS-KEY-FILE-PASS a b",
    ])
      expect(serversWords(said(secret))).toMatch(/>>> '[\w-]+ \*\*\*' Bad directive$/);
  });

  test("of its log the warnings are told, not the greetings", () => {
    const line = (text: string) => `23342:M 25 Nov 2026 20:31:11.381 # ${text}`;
    const said = [line("Server initialized"), line("Error loading ACL rule"), line("Exiting.")];
    expect(serversWords(said.join("\n"))).toBe("Error loading ACL rule Exiting.");
    expect(serversWords("sh: not found\n")).toBe("sh: not found");
    expect(serversWords("")).toBe("the server ended without a word");
  });
});

describe("the node's own configuration", () => {
  test("what Rekindle decided is read back, also after the server has rewritten it", () => {
    const text = [
      "# Written by Rekindle",
      'include "/etc/redis/redis.conf"',
      "port 7001",
      'dir "/data"',
      'masterauth "a \\"b"',
      "masteruser rekindle",
      "replicaof 10.0.0.1 7002",
      "protected-mode no",
      "# Generated by CONFIG REWRITE",
      "maxmemory 5mb",
    ].join("\n");
    const own = parseOwnConfiguration(text);
    expect(own.userFile).toBe("/etc/redis/redis.conf");
    expect([...own.owned]).toEqual([
      ["port", '"7001"'],
      ["dir", '"/data"'],
      ["masteruser", '"rekindle"'],
    ]);
    expect(own.credentials).toEqual({ user: "rekindle", password: Buffer.from('a "b') });
    expect([own.port, own.tls]).toEqual([7001, undefined]);
  });

  test("with TLS its port and its files are known", () => {
    const own = parseOwnConfiguration(
      'port 0\ntls-port 7001\ntls-cert-file "/c"\ntls-key-file "/k"\ntls-ca-cert-file "/a"\n',
    );
    expect([own.port, own.tls]).toEqual([7001, { cert: "/c", key: "/k", ca: "/a" }]);
  });
});
