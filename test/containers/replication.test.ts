/** One alpha, its betas and three Sentinels, on every server version. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StartedTestContainer } from "testcontainers";
import { describe, expect, inject, test } from "vitest";
import { isEmptyRdb } from "../../src/redis/empty-rdb.ts";
import { makeCertificates } from "../redis/certificates-under-test.ts";
import { startLoad } from "../redis/set-load.ts";
import { until } from "../redis/until.ts";
import {
  type ContainerGroup,
  cli,
  createGroup,
  cutOff,
  describeLog,
  destroy,
  everythingSaid,
  freeze,
  lastWords,
  thaw,
  writeCopied,
} from "./containers-under-test.ts";

const images = inject("images");
const byName = ["--dns", "redis-peers", "--sentinel-dns", "redis-sentinels"];

/** One alpha among these, whom the others copy and all Sentinels name. */
async function untilWhole(
  nodes: readonly StartedTestContainer[],
  sentinels: readonly StartedTestContainer[],
  tls: readonly string[] = [],
  user: readonly string[] = [],
): Promise<StartedTestContainer> {
  const look = async () => ({
    roles: await Promise.all(
      nodes.map((node) => cli(node, ...tls, ...user, "info", "replication")),
    ),
    named: await Promise.all(
      sentinels.map((one) => ask(one, tls, "get-master-addr-by-name", "mymaster")),
    ),
  });
  const isAlpha = (info: string) => info.includes("role:master");
  const { roles } = await until(
    "a whole set",
    look,
    (seen) => {
      const betas = seen.roles.filter((info) => info.includes("master_link_status:up"));
      const ofBetas = betas.map((info) => /master_host:(\S+)/.exec(info)?.[1]);
      const addresses = new Set([...seen.named.map((text) => text.split(/\s/)[0]), ...ofBetas]);
      const isOne = seen.roles.filter(isAlpha).length === 1 && addresses.size === 1;
      return isOne && betas.length === nodes.length - 1;
    },
    45_000,
    (seen) =>
      [
        JSON.stringify(seen, null, 1).replaceAll("\\r\\n", "\n"),
        ...nodes.map(describeLog),
        ...sentinels.map((one) => lastWords(one, 40)),
      ].join("\n"),
  );
  return nodes[roles.findIndex(isAlpha)] as StartedTestContainer;
}

const ask = (sentinel: StartedTestContainer, tls: readonly string[], ...words: string[]) =>
  cli(sentinel, ...tls, "-p", "26379", "sentinel", ...words);

/** A whole set, and a client that writes to it. */
async function startUnderLoad(group: ContainerGroup) {
  const startNode = () => group.start({}, ["replication", ...byName, "--peer-wait", "3s"]);
  const sentinel = ["sentinel", ...byName, "--peer-wait", "3s"];
  const nodes = await Promise.all([startNode(), startNode(), startNode()]);
  const sentinels = await Promise.all(
    nodes.map(() => group.start({}, sentinel, "redis-sentinels")),
  );
  await untilWhole(nodes, sentinels);
  await until(
    "Sentinels that are connected to each other",
    () => Promise.all(sentinels.map((one) => ask(one, [], "sentinels", "mymaster"))),
    (seen) => seen.every((text) => text.match(/^flags\nsentinel$/gm)?.length === 2),
  );
  const ipOf = (one: StartedTestContainer) => one.getIpAddress(group.network.getName());
  const places = sentinels.map((one) => ({ ip: ipOf(one), port: 26_379 }));
  const load = startLoad({ sentinels: places, access: {} });
  await until("a load", load.writes, (writes) => writes > 100);
  return { nodes, sentinels, load, ipOf };
}

describe.skipIf(images.length === 0).each(images.length > 0 ? images : ["no image"])(
  "%s",
  (image) => {
    test.concurrent("a snapshot without a key is known to be empty, and one with a key or a function is not", async () => {
      await using group = await createGroup(image);
      const node = await group.start({}, ["replication", ...byName, "--nodes", "1"]);
      const isEmpty = async () => {
        await until(
          "a snapshot",
          () => cli(node, "save"),
          (said) => said === "OK",
        );
        const { output } = await node.exec(["base64", "/data/dump.rdb"]);
        return isEmptyRdb(Buffer.from(output, "base64"));
      };
      expect(await isEmpty()).toBe(true);
      await cli(node, "set", "here", "");
      expect(await isEmpty()).toBe(false);
      await cli(node, "flushall");
      expect(await isEmpty()).toBe(true);
      const code = "#!lua name=mine\nredis.register_function('f', function() return 1 end)";
      if (/^ERR/.test(await cli(node, "function", "load", code))) return; // Before 7.0 there are none.
      expect(await isEmpty()).toBe(false);
    });

    test.concurrent("three nodes and three Sentinels: a drain moves the alpha's role, a lost alpha is replaced, nothing is lost", async () => {
      await using group = await createGroup(image);
      const startNode = () => group.start({}, ["replication", ...byName, "--peer-wait", "3s"]);
      const sentinel = ["sentinel", ...byName, "--down-after", "2s", "--peer-wait", "3s"];
      const nodes = await Promise.all([startNode(), startNode(), startNode()]);
      const sentinels = await Promise.all(
        nodes.map(() => group.start({}, sentinel, "redis-sentinels")),
      );
      const first = await untilWhole(nodes, sentinels);
      expect(await cli(first, "set", "here", "there")).toBe("OK");

      const drained = await first.exec(["rekindle", "drain", "--sentinel-dns", "redis-sentinels"]);
      expect(drained.exitCode, drained.output).toBe(0);
      const second = await untilWhole(nodes, sentinels);
      expect(second).not.toBe(first);
      expect(await cli(second, "get", "here")).toBe("there");
      // Taken back: whoever is an alpha again one day must take writes.
      await writeCopied(second, { here: "still" }, 2);

      await destroy(group, second);
      const left = [...nodes.filter((node) => node !== second), await startNode()];
      const third = await untilWhole(left, sentinels);
      expect(await cli(third, "get", "here")).toBe("still");
      expect(await cli(third, "set", "here", "on")).toBe("OK");
    });

    // Before 6.2 writes are refused, then held back, and Valkey 9's Sentinels coordinate it: the others are like one of these.
    const isLikeAnother = /redis8|valkey8/.test(image);
    const ends = [
      ["to its end", "never"],
      ["and killed while it is at it", "held back|coordinate"],
    ] as const;
    test.each(isLikeAnother ? [] : ends)(
      "a drain under load, %s: no acknowledged write is lost, and all are taken again",
      async (_, sign) => {
        await using group = await createGroup(image);
        const { nodes, sentinels, load, ipOf } = await startUnderLoad(group);
        const alpha = await untilWhole(nodes, sentinels);
        const drain = `rekindle drain --sentinel-dns redis-sentinels >/data/drain.log 2>&1 & drain=$!
        while kill -0 $drain 2>/dev/null; do
          if grep -qE "$1" /data/drain.log; then kill -9 $drain; else sleep 0.02; fi
        done
        wait $drain; code=$?; cat /data/drain.log; exit $code`;
        const { exitCode, output } = await alpha.exec(["sh", "-c", drain, "sh", sign]);
        expect(exitCode, output).toBe(sign === "never" ? 0 : 128 + 9);
        // Where the Sentinels have it.
        expect(/coordinate/.test(output), output).toBe(/valkey9/.test(image));
        const before = load.writes();
        await until("a load that goes on", load.writes, (writes) => writes > before + 100);
        const now = await untilWhole(nodes, sentinels);
        if (sign === "never") expect(nodes.indexOf(now), output).not.toBe(nodes.indexOf(alpha));
        const failures = await load.end();
        // Before 6.2 writes are not held back, but refused.
        expect(failures.filter((one) => !one.startsWith("NOREPLICAS"))).toEqual([]);
        expect(await load.countLost({ ip: ipOf(now), port: 6379 }), output).toBe(0);
        await until(
          "nodes that would take writes",
          () =>
            Promise.all(nodes.map((node) => cli(node, "config", "get", "min-replicas-to-write"))),
          (seen) => seen.every((text) => text.endsWith("\n0")),
        );
      },
    );

    if (image.includes("valkey9"))
      test("a coordinated failover whose betas hang is ended, and writes are taken again", async () => {
        await using group = await createGroup(image);
        const { nodes, sentinels, load, ipOf } = await startUnderLoad(group);
        const alpha = await untilWhole(nodes, sentinels);
        const betas = nodes.filter((node) => node !== alpha);
        await Promise.all(betas.map((beta) => freeze(beta)));
        const more = ["--sentinel-dns", "redis-sentinels", "--grace-period", "9s"];
        const { exitCode, output } = await alpha.exec(["rekindle", "drain", ...more]);
        expect(exitCode, output).toBe(75);
        expect(output).toContain("the Sentinels' coordinated failover does not get on");
        const before = load.writes();
        await until("a load that goes on", load.writes, (writes) => writes > before + 100);
        expect(load.longestPauseMs()).toBeLessThan(5_000);
        await Promise.all(betas.map((beta) => thaw(beta)));
        const now = await untilWhole(nodes, sentinels);
        expect(await load.end()).toEqual([]);
        expect(await load.countLost({ ip: ipOf(now), port: 6379 })).toBe(0);
      });

    if (!isLikeAnother)
      test.concurrent("a node and a Sentinel that return by their names, at other addresses, are those that they were", async () => {
        await using group = await createGroup(image);
        const startNode = (number: number) =>
          group.start(
            {},
            ["replication", ...byName, "--announce-hostname", `redis-${number}`],
            ...["redis-peers", `redis-${number}`],
          );
        if (image.includes("redis6.0")) {
          const refused = await startNode(1);
          await until(
            "its refusal",
            () => everythingSaid(refused),
            (log) => log.includes("is older than 6.2.7"),
          );
          return;
        }
        const startSentinel = (number: number) =>
          group.start(
            {},
            [
              ...["sentinel", ...byName, "--announce-hostname", `sentinel-${number}`],
              ...["--down-after", "2s", "--peer-wait", "3s"],
            ],
            ...["redis-sentinels", `sentinel-${number}`],
          );
        const numbers = [1, 2, 3];
        let nodes = await Promise.all(numbers.map(startNode));
        let sentinels = await Promise.all(numbers.map(startSentinel));
        const first = await untilWhole(nodes, sentinels);
        expect(everythingSaid(nodes[0] as StartedTestContainer)).toContain(
          "this node is the first",
        );
        await writeCopied(first, { here: "there" }, 2);

        const network = group.network.getName();
        const gone = [first, sentinels[2] as StartedTestContainer] as const;
        await Promise.all(gone.map((one) => destroy(group, one)));
        // Their addresses go to somebody else.
        const waiting = ["replication", "--dns", "nobody"];
        await Promise.all(gone.map(() => group.start({}, waiting, "somebody")));
        const node = await startNode(nodes.indexOf(first) + 1);
        const sentinel = await startSentinel(3);
        for (const [old, now] of [
          [gone[0], node],
          [gone[1], sentinel],
        ] as const)
          expect(now.getIpAddress(network)).not.toBe(old.getIpAddress(network));
        nodes = nodes.map((one) => (one === first ? node : one));
        sentinels = [...sentinels.slice(0, 2), sentinel];
        const second = await untilWhole(nodes, sentinels);
        expect(nodes.indexOf(second)).not.toBe(nodes.indexOf(node));
        expect(await cli(node, "get", "here")).toBe("there");
        const tell = async (one: StartedTestContainer) =>
          [
            await ask(one, [], "replicas", "mymaster"),
            await ask(one, [], "sentinels", "mymaster"),
            await ask(one, [], "ckquorum", "mymaster"),
          ].join("\n");
        await until(
          "Sentinels that know all by name, and nobody twice",
          () => Promise.all(sentinels.map(tell)),
          (seen) =>
            seen.every((text) => {
              const hosts = [...text.matchAll(/^ip\n(.*)$/gm)].map(([, host]) => host);
              return (
                hosts.length === 4 &&
                new Set(hosts).size === 4 &&
                hosts.every((host) => /^(redis|sentinel)-\d$/.test(host ?? "")) &&
                !/[so]_down|disconnected/.test(text) &&
                text.includes("OK 3 usable Sentinels")
              );
            }),
          30_000,
          (seen) => seen.join("\n"),
        );

        const drained = await second.exec([
          "rekindle",
          "drain",
          "--sentinel-dns",
          "redis-sentinels",
        ]);
        expect(drained.exitCode, drained.output).toBe(0);
        expect(drained.output).toMatch(/redis-\d:6379 is the alpha now/);
        const third = await untilWhole(nodes, sentinels);
        const shown = await second.exec([
          "rekindle",
          "status",
          "--sentinel-dns",
          "redis-sentinels",
        ]);
        expect(shown.exitCode, shown.output).toBe(0);

        // New Sentinels, and a name of the alpha that leads nowhere any more.
        await Promise.all([third, ...sentinels].map((one) => destroy(group, one)));
        sentinels = await Promise.all(numbers.map(startSentinel));
        const fourth = await untilWhole(
          nodes.filter((one) => one !== third),
          sentinels,
        );
        expect(await cli(fourth, "get", "here")).toBe("there");
      });

    test.concurrent("with TLS only, an ACL user and a password: a lost alpha is replaced, a drain moves the role", async () => {
      const folder = mkdtempSync(join(tmpdir(), "rekindle-test-"));
      makeCertificates(folder);
      writeFileSync(join(folder, "password"), "secret");
      for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644);
      chmodSync(folder, 0o755);
      try {
        await using group = await createGroup(image, folder);
        const [cert, key, ca] = ["/given/node.crt", "/given/node.key", "/given/ca.crt"];
        const environment = {
          REKINDLE_USER: "keeper",
          REKINDLE_PASSWORD_FILE: "/given/password",
          REKINDLE_TLS_CERT: cert,
          REKINDLE_TLS_KEY: key,
          REKINDLE_TLS_CA: ca,
          REKINDLE_SENTINEL_DNS: "redis-sentinels",
          // For the test's own commands.
          REDISCLI_AUTH: "secret",
          VALKEYCLI_AUTH: "secret",
        };
        const tls = ["--tls", "--cert", cert, "--key", key, "--cacert", ca];
        const user = ["--user", "keeper"];
        const startNode = () =>
          group.start(environment, ["replication", ...byName, "--peer-wait", "3s"]);
        const sentinel = ["sentinel", ...byName, "--down-after", "3s", "--peer-wait", "3s"];
        const nodes = await Promise.all([startNode(), startNode(), startNode()]);
        const sentinels = await Promise.all(
          nodes.map(() => group.start(environment, sentinel, "redis-sentinels")),
        );
        const first = await untilWhole(nodes, sentinels, tls, user);
        await writeCopied(first, { here: "there" }, 2, [...tls, ...user]);
        await destroy(group, first);
        const left = [...nodes.filter((node) => node !== first), await startNode()];
        const second = await untilWhole(left, sentinels, tls, user);
        const drained = await second.exec(["rekindle", "drain"]);
        expect(drained.exitCode, drained.output).toBe(0);
        const third = await untilWhole(left, sentinels, tls, user);
        expect(third).not.toBe(second);
        expect(await cli(third, ...tls, ...user, "get", "here")).toMatch(/there$/);
        const shown = await third.exec(["rekindle", "status"]);
        expect(shown.exitCode, shown.output).toBe(0);
        for (const port of ["6379", "26379"])
          expect(await cli(third, "-p", port, "ping")).not.toMatch(/PONG/);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  },
);

// Half a minute each: the oldest and the newest will do, at the same time.
const [oldest, newest] = [images[0], images.at(-1)];
describe.skipIf(images.length === 0)(
  "an alpha that is cut off for 30 s follows the new one afterwards, and what is lost with it is said",
  () => {
    test.concurrent.each(oldest === newest ? [oldest] : [oldest, newest])(
      "%s",
      async (image = "") => {
        await using group = await createGroup(image);
        const startNode = () => group.start({}, ["replication", ...byName, "--peer-wait", "3s"]);
        const sentinel = ["sentinel", ...byName, "--down-after", "2s", "--peer-wait", "3s"];
        const nodes = await Promise.all([startNode(), startNode(), startNode()]);
        const sentinels = await Promise.all(
          nodes.map(() => group.start({}, sentinel, "redis-sentinels")),
        );
        const first = await untilWhole(nodes, sentinels);
        await writeCopied(first, { before: "1" }, 2);

        const comeBack = await cutOff(group, first);
        const isOver = new Promise((resolve) => setTimeout(resolve, 30_000));
        const others = nodes.filter((node) => node !== first);
        const second = await untilWhole(others, sentinels);
        for (const key of ["lost:1", "lost:2"])
          expect(await cli(first, "set", key, "1")).toBe("OK");
        expect(await cli(second, "set", "after", "1")).toBe("OK");
        await isOver;
        await comeBack();

        expect(await untilWhole(nodes, sentinels)).toBe(second);
        for (const node of nodes)
          expect(await cli(node, "mget", "before", "after", "lost:1", "lost:2")).toBe("1\n1");
        const said = sentinels.map(everythingSaid).join("\n");
        expect(said).toMatch(/follows it now, without 2 writes that nobody else has/);
      },
    );
  },
);
