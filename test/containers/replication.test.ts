/** One alpha, its betas and three Sentinels, on every server version. */
import type { StartedTestContainer } from "testcontainers";
import { describe, expect, inject, test } from "vitest";
import { isEmptyRdb } from "../../src/redis/empty-rdb.ts";
import { until } from "../redis/until.ts";
import {
  cli,
  createGroup,
  cutOff,
  describeLog,
  destroy,
  lastWords,
  readLog,
} from "./containers-under-test.ts";

const images = inject("images");
const byName = ["--dns", "redis-peers", "--sentinel-dns", "redis-sentinels"];

/** One alpha among these, whom the others copy and all Sentinels name. */
async function untilWhole(
  nodes: readonly StartedTestContainer[],
  sentinels: readonly StartedTestContainer[],
): Promise<StartedTestContainer> {
  const look = async () => ({
    roles: await Promise.all(nodes.map((node) => cli(node, "info", "replication"))),
    named: await Promise.all(
      sentinels.map((one) =>
        cli(one, "-p", "26379", "sentinel", "get-master-addr-by-name", "mymaster"),
      ),
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

describe.skipIf(images.length === 0).each(images.length > 0 ? images : ["no image"])(
  "%s",
  (image) => {
    test("a snapshot without a key is known to be empty, and one with a key or a function is not", async () => {
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

    test("three nodes and three Sentinels: a drain moves the alpha's role, a lost alpha is replaced, nothing is lost", async () => {
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
      expect(await cli(second, "set", "here", "still")).toBe("OK");
      expect(await cli(second, "wait", "2", "5000")).toBe("2");

      await destroy(group, second);
      const left = [...nodes.filter((node) => node !== second), await startNode()];
      const third = await untilWhole(left, sentinels);
      expect(await cli(third, "get", "here")).toBe("still");
      expect(await cli(third, "set", "here", "on")).toBe("OK");
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
        expect(await cli(first, "set", "before", "1")).toBe("OK");
        expect(await cli(first, "wait", "2", "5000")).toBe("2");

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
        const said = sentinels.map(readLog).join("\n");
        expect(said).toMatch(/follows it now, without 2 writes that nobody else has/);
      },
    );
  },
);
