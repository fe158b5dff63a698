/** One alpha, its betas and three Sentinels, on real servers: `rekindle replication` and `rekindle sentinel`. */
import { lookup } from "node:dns/promises";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import type { TlsFiles } from "../../src/redis/connection.ts";
import { tend } from "../../src/replication/tend.ts";
import {
  ask,
  empty,
  exitOf,
  kill,
  launch,
  type NodeUnderTest,
  read,
  server,
} from "./nodes-under-test.ts";
import { startLoad } from "./set-load.ts";
import {
  createSet,
  downAfterMs,
  type SetUnderTest,
  untilAlphaAmong,
  untilSetWhole,
} from "./sets-under-test.ts";
import { until } from "./until.ts";

const get = async (node: NodeUnderTest, set: SetUnderTest, key: string) =>
  (await ask(node, [["GET", key]], set.access))[0];

/** Written through the alpha, and copied by both betas before this returns. */
async function write(alpha: NodeUnderTest, set: SetUnderTest, key: string, value: string) {
  const replies = await ask(
    alpha,
    [
      ["SET", key, value],
      ["WAIT", 2, 5_000],
    ],
    set.access,
  );
  expect(replies).toEqual(["OK", 2]);
}

/** A name for all, where it leads to nothing else first. */
const leadsHere = (await lookup("localhost", { verbatim: true })).address === "127.0.0.1";

describe("a set that starts blank", () => {
  it("has the first node as its alpha, and what is set there is on each beta", async () => {
    await using set = createSet(22_000);
    set.bootAll();
    const { alpha, betas } = await untilSetWhole(set);
    expect(alpha).toBe(set.nodes[0]);
    await write(alpha, set, "here", "there");
    for (const beta of betas) expect(await get(beta, set, "here")).toBe("there");

    // From any node all are found.
    const shown = await set.status(betas[0] as NodeUnderTest);
    expect(shown.exitCode, shown.stdout + shown.stderr).toBe(0);
    expect(shown.stdout).toMatch(/● whole +mymaster: 3 nodes, 3 Sentinels, 1 key/);
    await kill(betas[1] as NodeUnderTest);
    const broken = await set.status(alpha, "--json");
    expect(broken.exitCode).toBe(1);
    expect(JSON.parse(broken.stdout)).toMatchObject({
      state: "degraded",
      nodes: 2,
      problems: [
        expect.stringMatching(
          /the Sentinels still list the beta 127\.0\.0\.1:\d+, and no node is there/,
        ),
      ],
    });
  });

  it("comes back when all are restarted at once, before anything was written and after all was deleted", async () => {
    await using set = createSet(22_400, { persists: true });
    const restart = async () => {
      await Promise.all([...set.nodes, ...set.sentinels].map((one) => kill(one)));
      set.bootAll();
      return untilSetWhole(set);
    };
    set.bootAll();
    await untilSetWhole(set);
    const { alpha } = await restart();
    await write(alpha, set, "short", "lived");
    await ask(alpha, [
      ["DEL", "short"],
      ["WAIT", 2, 5_000],
    ]);
    await write((await restart()).alpha, set, "here", "there");
  });

  it("leaves its passwords to its own user, in every file", async () => {
    await using set = createSet(22_440, { password: "very secret" });
    set.bootAll();
    const { alpha, betas } = await untilSetWhole(set);
    await kill(alpha);
    // Sentinel has it write its configuration anew.
    await untilAlphaAmong(set, betas);
    const files = [...betas.map((beta) => join(beta.dir, "rekindle.conf"))];
    for (const path of [...files, ...set.sentinels.map(({ dir }) => join(dir, "sentinel.conf"))]) {
      expect(readFileSync(path, "utf8")).toContain("very secret");
      expect(statSync(path).mode & 0o077, path).toBe(0);
    }
  });

  /** Founded, the alpha killed and another elected, the old one back, the role handed over, all of it told by status. */
  async function liveThroughAll(set: SetUnderTest) {
    set.bootAll();
    const { alpha, betas } = await untilSetWhole(set);
    await write(alpha, set, "here", "there");
    await kill(alpha);
    await untilAlphaAmong(set, betas);
    set.bootNode(alpha);
    const second = await untilSetWhole(set);
    expect(second.alpha).not.toBe(alpha);
    const load = startLoad(set);
    await until("a load", load.writes, (writes) => writes > 100);
    const { exitCode, stdout } = await set.drain(second.alpha);
    expect(exitCode, stdout).toBe(0);
    const third = await untilSetWhole(set);
    expect(third.alpha, stdout).not.toBe(second.alpha);
    expect(await load.end()).toEqual([]);
    expect(await load.countLost(third.alpha)).toBe(0);
    expect(await get(third.alpha, set, "here")).toBe("there");
    const shown = await set.status(third.alpha);
    expect(shown.exitCode, shown.stdout + shown.stderr).toBe(0);
  }

  it("takes a password of any bytes, on both sides, and tells it to nobody", async () => {
    await using set = createSet(22_040, { password: `p $'"\\ #ä\x01` });
    await liveThroughAll(set);
    for (const one of [...set.nodes, ...set.sentinels]) expect(one.output).not.toContain("p $");
  });

  it("takes an ACL user: nodes know nobody else, and Sentinels its password", async () => {
    await using set = createSet(22_500, { password: `p $'"\\ #`, user: "keeper" });
    await liveThroughAll(set);
    const [node, sentinel] = [set.nodes[0], set.sentinels[0]] as [NodeUnderTest, NodeUnderTest];
    expect(String(await ask(node, [["PING"]]))).toMatch(/NOAUTH/);
    expect(String(await ask(sentinel, [["SENTINEL", "MASTERS"]]))).toMatch(/NOAUTH/);
  });

  it.skipIf(!leadsHere)("is known by names where it announces them", async () => {
    await using set = createSet(22_600, { announcedAs: "localhost", password: "secret" });
    await liveThroughAll(set);
    for (const sentinel of set.sentinels) {
      const [master, replicas] = await ask(
        sentinel,
        [
          ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"],
          ["SENTINEL", "REPLICAS", "mymaster"],
        ],
        set.sentinelAccess,
      );
      expect(master).toEqual(["localhost", expect.any(String)]);
      expect(JSON.stringify([master, replicas])).not.toContain("127.0.0.1");
      // Started anew it remembers, and announces, names.
      await kill(sentinel);
      set.bootSentinel(sentinel);
    }
    await untilSetWhole(set);
    for (const one of set.sentinels)
      expect(read(one, "sentinel.conf")).toMatch(/sentinel known-sentinel mymaster localhost/);
  });

  it("waits where its name leads elsewhere, and says so", async () => {
    await using set = createSet(22_640, { announcedAs: "no-such-host.invalid" });
    set.bootAll();
    const [first] = set.nodes as [NodeUnderTest];
    await until(
      "its reason",
      () => first.output,
      (text) => text.includes('waiting: \\"no-such-host.invalid\\" does not resolve'),
    );
    for (const node of set.nodes) expect(node.output).not.toContain("becoming");
  });

  it("refuses a password with a zero byte, which Sentinel would cut off", async () => {
    await using set = createSet(22_580, { password: "before\0after" });
    const [sentinel] = set.sentinels as [NodeUnderTest];
    set.bootSentinel(sentinel);
    expect(await exitOf(sentinel)).toBe(78);
    expect(sentinel.output).toContain("the password holds a zero byte, which Sentinel cannot send");
  });

  it("speaks TLS only, on both sides, and lets in who has a certificate and the password", async () => {
    await using set = createSet(22_540, { password: "secret", usesTls: true, downAfterMs: 3_000 });
    await liveThroughAll(set);
    for (const one of [set.nodes[0], set.sentinels[0]] as NodeUnderTest[]) {
      await expect(ask(one, [["PING"]])).rejects.toThrow();
      expect(String(await ask(one, [["PING"]], { tls: set.access.tls as TlsFiles }))).toMatch(
        /NOAUTH/,
      );
    }
  });
});

describe("an alpha that is killed", () => {
  it("is replaced within down-after and 2 s, and comes back as a beta of the new one", async () => {
    await using set = createSet(22_080, { persists: true });
    set.bootAll();
    const { alpha } = await untilSetWhole(set);
    const load = startLoad(set);
    await until("a load", load.longestPauseMs, (ms) => ms > 0);
    await write(alpha, set, "kept", "yes");
    await kill(alpha);
    await until("another alpha", load.longestPauseMs, (ms) => ms > downAfterMs / 2);
    expect(load.longestPauseMs()).toBeLessThan(downAfterMs + 2_000);
    set.bootNode(alpha);
    const whole = await untilSetWhole(set);
    expect(whole.alpha).not.toBe(alpha);
    expect(alpha.output).toContain("what it wrote as an alpha and they did not copy is dropped");
    expect(await get(whole.alpha, set, "kept")).toBe("yes");
    expect(await load.end()).toEqual([]);
  });

  it("in memory only, and started again at once: a beta is promoted, and nothing is wiped", async () => {
    // It is back before the Sentinels would act by themselves.
    await using set = createSet(22_120, { downAfterMs: 8_000 });
    set.bootAll();
    const { alpha } = await untilSetWhole(set);
    await write(alpha, set, "kept", "yes");
    await kill(alpha);
    set.bootNode(alpha);
    const whole = await untilSetWhole(set);
    expect(whole.alpha).not.toBe(alpha);
    for (const node of set.nodes) expect(await get(node, set, "kept")).toBe("yes");
    expect(alpha.output).toContain("has newer data than this alpha's disk");
  });

  it("in memory only, its betas unknown to all Sentinels: they hear of them from it, and promote one", async () => {
    await using set = createSet(22_140);
    set.bootAll();
    const { alpha } = await untilSetWhole(set);
    await write(alpha, set, "kept", "yes");
    await kill(alpha);
    // As when the betas joined since they last asked the alpha, which they do every ten seconds.
    for (const sentinel of set.sentinels) await ask(sentinel, [["SENTINEL", "RESET", "*"]]);
    set.bootNode(alpha);
    const whole = await untilSetWhole(set);
    expect(whole.alpha).not.toBe(alpha);
    for (const node of set.nodes) expect(await get(node, set, "kept")).toBe("yes");
  });
});

it("all return at once, every address new: the newest data leads, and nobody remembers the dead", async () => {
  await using set = createSet(22_160, { persists: true });
  set.bootAll();
  const first = await untilSetWhole(set);
  await write(first.alpha, set, "here", "old");
  // The alpha goes and does not come back; what is written after that is on the others only.
  await kill(first.alpha);
  const alpha = await untilAlphaAmong(set, first.betas);
  await ask(alpha, [
    ["SET", "here", "new"],
    ["WAIT", 1, 5_000],
  ]);
  await Promise.all([...set.nodes, ...set.sentinels].map((one) => kill(one)));
  set.moveTo(22_180);
  set.bootAll();
  const whole = await untilSetWhole(set);
  expect(whole.alpha).toBe(alpha);
  for (const node of set.nodes) expect(await get(node, set, "here")).toBe("new");
});

describe("rekindle drain", () => {
  it("hands the alpha's role over: no failed request, no acknowledged write lost", async () => {
    await using set = createSet(22_400, { password: "secret" });
    set.bootAll();
    const { alpha } = await untilSetWhole(set);
    const load = startLoad(set);
    await until("a load", load.writes, (writes) => writes > 100);
    const { exitCode, stdout } = await set.drain(alpha);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(/127\.0\.0\.1:2240[12] is the alpha now/);
    const before = load.writes();
    await until("a load that goes on", load.writes, (writes) => writes > before + 100);
    expect(await load.end()).toEqual([]);
    const whole = await untilSetWhole(set);
    expect(whole.alpha).not.toBe(alpha);
    expect(await load.countLost(whole.alpha)).toBe(0);
    const again = await set.drain(alpha);
    expect(again.exitCode, again.stdout).toBe(0);
    expect(again.stdout).toContain("this node is a beta: it has nothing to hand over");
  });

  it.each([
    ["before another alpha was asked for", "writes are held back"],
    ["after another alpha was asked for", "Executing user requested FAILOVER"],
  ])(
    "that is killed %s is carried on: nothing is lost, and writes are taken",
    async (when, sign) => {
      await using set = createSet(22_680, { password: "secret" });
      set.bootAll();
      const { alpha } = await untilSetWhole(set);
      const load = startLoad(set);
      await until("a load", load.writes, (writes) => writes > 100);
      const drain = set.startDrain(alpha);
      const all = [drain, ...set.sentinels];
      await until(
        "its sign",
        () => all.map(({ output }) => output).join(),
        (text) => text.includes(sign),
      );
      await kill(drain);
      const before = load.writes();
      await until("a load that goes on", load.writes, (writes) => writes > before + 100);
      const whole = await untilSetWhole(set);
      expect(await load.end()).toEqual([]);
      expect(load.longestPauseMs(), drain.output).toBeLessThan(5_000);
      expect(await load.countLost(whole.alpha), drain.output).toBe(0);
      if (when.startsWith("after")) {
        expect(whole.alpha, drain.output).not.toBe(alpha);
        await until(
          "the word of whoever went on",
          () => drain.output,
          (text) => /127\.0\.0\.1:2268[12] is the alpha now/.test(text),
        );
      }
    },
  );

  it("calls it off where no Sentinel answers, and the alpha goes on", async () => {
    await using set = createSet(22_440);
    set.bootAll();
    const { alpha } = await untilSetWhole(set);
    await Promise.all(set.sentinels.map((one) => kill(one)));
    const { exitCode, stdout } = await set.drain(alpha, "--grace-period=7s");
    expect(exitCode, stdout).toBe(75);
    expect(stdout).toContain("no Sentinel answers that watches this alpha");
    await write(alpha, set, "here", "there");
  });

  it("calls it off where a beta hangs, and no write is held back any longer", async () => {
    await using set = createSet(22_480);
    set.bootAll();
    const { alpha, betas } = await untilSetWhole(set);
    const [beta] = betas as [NodeUnderTest];
    beta.process?.kill("SIGSTOP");
    const draining = set.drain(alpha, "--grace-period=8s");
    const { exitCode, stdout } = await draining;
    expect(exitCode, stdout).toBe(75);
    expect(stdout).toContain("the hand-over is called off: a beta does not keep up");
    expect(await ask(alpha, [["SET", "here", "there"]])).toEqual(["OK"]);
    beta.process?.kill("SIGCONT");
  });
});

describe("a Sentinel", () => {
  it("that is replaced has the same id, and is known once", async () => {
    await using set = createSet(22_200);
    set.bootAll();
    await untilSetWhole(set);
    const [sentinel] = set.sentinels as [NodeUnderTest];
    const idOf = async () => (await ask(sentinel, [["SENTINEL", "MYID"]]))[0];
    const id = /sentinel myid (\w+)/.exec(read(sentinel, "sentinel.conf"))?.[1];
    await kill(sentinel);
    empty(sentinel);
    set.bootSentinel(sentinel);
    await untilSetWhole(set);
    expect(await idOf().catch(() => id)).toBe(id);
    expect(read(sentinel, "sentinel.conf")).toContain(`sentinel myid ${id}`);
  });

  it("that starts with an empty folder while the alpha is gone elects another all the same", async () => {
    await using set = createSet(22_240);
    set.bootAll();
    const { alpha, betas } = await untilSetWhole(set);
    await write(alpha, set, "kept", "yes");
    await Promise.all([alpha, ...set.sentinels].map((one) => kill(one)));
    for (const sentinel of set.sentinels) {
      empty(sentinel);
      set.bootSentinel(sentinel);
    }
    // The Sentinel that makes one an alpha cuts its clients off, us among them.
    const find = () => Promise.allSettled(betas.map((beta) => ask(beta, [["ROLE"]])));
    await until("another alpha", find, (roles) => JSON.stringify(roles).includes('"master"'));
    set.bootNode(alpha);
    // Whoever it is by now: on a busy machine there may have been a failover more.
    const whole = await untilSetWhole(set);
    expect(await get(whole.alpha, set, "kept")).toBe("yes");
  });

  it("has each forget a beta that is gone for good, one after the other, and know all others again", async () => {
    await using set = createSet(22_480);
    set.bootAll();
    await untilSetWhole(set);
    const extra = set.group.add(22_484, "n4");
    set.bootNode(extra, [...set.nodes, extra]);
    const countBetas = () =>
      Promise.all(
        set.sentinels.map(async (one) => {
          const [betas] = await ask(one, [["SENTINEL", "REPLICAS", "mymaster"]]);
          return Array.isArray(betas) ? betas.length : 0;
        }),
      );
    await until("a third beta", countBetas, (counts) => counts.every((count) => count === 3));
    await kill(extra);
    const peerOf = ({ port }: NodeUnderTest) => ({
      name: `${port}`,
      address: { ip: "127.0.0.1", port, busPort: port + 10_000 },
    });
    const tended = await tend({
      discovery: {
        knowsWhoIsGone: true,
        find: async () => ({ self: undefined, others: set.nodes.map(peerOf) }),
      },
      set: "mymaster",
      sentinelPlaces: {
        sentinels: set.sentinels.map(({ port }) => `127.0.0.1:${port}`),
        sentinelDns: undefined,
        sentinelPort: 26_379,
      },
      connect: {
        credentials: { user: undefined, password: undefined },
        tls: undefined,
        deadlineMs: 1_000,
      },
      markAlpha: async () => "right",
      log: createLog("error", "json"),
      count: 3,
      deadlineMs: 60_000,
    });
    expect(tended.isDone, tended.reason).toBe(true);
    await untilSetWhole(set);
  });

  it("says its quorum, and warns of an even number", async () => {
    await using set = createSet(22_280);
    const [sentinel] = set.sentinels as [NodeUnderTest];
    launch(sentinel, [
      "sentinel",
      "--peers",
      "127.0.0.1:22280",
      "--count",
      "4",
      "--dir",
      sentinel.dir,
      "--address",
      "127.0.0.1",
      "--log-format",
      "json",
    ]);
    await until(
      "its lines",
      () => sentinel.output,
      (text) => text.includes("waiting"),
    );
    expect(sentinel.output).toContain('"quorum":"3 of 4"');
    expect(sentinel.output).toContain("4 Sentinels bear the loss of 1: 3 bear as many");
  });
});

it("while a node decides it answers as one that is loading, to those with the password only", async () => {
  await using set = createSet(22_320, { password: "secret" });
  const [node] = set.nodes as [NodeUnderTest];
  set.bootNode(node);
  const reply = await until(
    "an answer",
    () => ask(node, [["PING"], ["REKINDLE", "WAITING"]], set.access).catch(() => []),
    (replies) => replies.length === 2,
  );
  expect(String(reply[0])).toContain("LOADING");
  expect(JSON.parse(String(reply[1]))).toMatchObject({ disk: { kind: "none" }, claims: false });
  const [denied] = await ask(node, [["REKINDLE", "WAITING"]]);
  expect(String(denied)).toContain("NOAUTH");
  await expect(ask(node, [["PING"]], { password: Buffer.from("wrong!") })).rejects.toThrow(
    /refuses our password/,
  );
});

it("a redis.conf that gives the role itself is refused, with the line", async () => {
  await using set = createSet(22_360);
  const [node] = set.nodes as [NodeUnderTest];
  const config = join(set.group.root, "theirs.conf");
  writeFileSync(config, "appendonly yes\nreplicaof 10.0.0.1 6379\n");
  const more = ["--dir", node.dir, "--config", config, "--server", server];
  launch(node, ["replication", "--peers", "127.0.0.1:22360", "--port", "22360", ...more]);
  expect(await exitOf(node)).toBe(78);
  expect(node.output).toMatch(
    /replicaof in \S+theirs.conf, line 2 \(roles are Rekindle's to give\)/,
  );
});
