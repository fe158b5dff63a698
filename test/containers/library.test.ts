/** The library's clusters and sets of containers, of images without Rekindle as the official ones are. */
import { spawnSync } from "node:child_process";
import { describe, expect, inject, type TestContext, test } from "vitest";
import { RedisClusterContainer, RedisSentinelContainer } from "../../src/testing/index.ts";
import { connectToCluster, connectToSet, expectAllKeysFor } from "../redis/clients-under-test.ts";

process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

const bases = inject("bases");
const base = bases.find((name) => name.endsWith("redis7.0")) ?? bases[0] ?? "";

/** Sentinel has changed less. */
const fewBases = bases.filter((name) => /redis6.0|redis7.0|valkey9.1/.test(name) || name === base);

const docker = (...args: string[]) => spawnSync("docker", args, { encoding: "utf8" }).stdout.trim();

/** The containers, running or not, that were made of what has this name. */
const madeOf = (image: string): readonly string[] =>
  docker("ps", "--all", "--format", "{{.Image}}")
    .split("\n")
    .filter((name) => name === image);

/** The same image under a name of its own. */
function rename(image: string, name: string, { onTestFinished }: TestContext): string {
  docker("tag", image, name);
  onTestFinished(() => void docker("rmi", "--no-prune", name));
  return name;
}

describe.skipIf(base === "").concurrent("from this machine", () => {
  test.for(bases)("%s: every client reaches every key of a cluster", async (image, context) => {
    const own = rename(image, `rekindle-test-cluster:${image.split(":")[1]}`, context);
    const redis = await new RedisClusterContainer()
      .withImage(own)
      .withPassword('quotes " and \\ and $pace')
      .start();
    context.onTestFinished(() => redis.stop());
    expect(Object.keys(redis.natMap)).toHaveLength(6);
    // From 7.0 on the nodes tell clients where this machine reaches them.
    const isOld = image.includes("redis6");
    using clients = await connectToCluster(redis, isOld ? redis.natMap : {});
    await expectAllKeysFor(clients);
    await redis.stop();
    expect(madeOf(own)).toEqual([]);
  });

  test.each(fewBases)("%s: every client finds the alpha of a set", async (image) => {
    await using redis = await new RedisSentinelContainer()
      .withImage(image)
      .withPassword('quotes " and \\ and $pace')
      .start();
    using clients = await connectToSet(redis);
    await expectAllKeysFor(clients);
    await redis.alphaOf().kill();
    await redis.healthy();
    await expectAllKeysFor(clients);
  });
});

describe.skipIf(base === "").concurrent("containers bear", () => {
  test("everything that is done to a cluster of them", async () => {
    await using redis = await new RedisClusterContainer().withImage(base).start();
    const client = redis.client();
    await client.set("user:42", "is here");
    const alpha = redis.alphaOf("user:42");
    await alpha.cutOff();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    await alpha.reconnect();
    await redis.healthy();
    expect((await redis.betaOf("user:42").node()).name).toBe((await alpha.node()).name);

    await redis.alphaOf("user:42").replace();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    await alpha.pause();
    await redis.healthy();
    await alpha.kill();
    await alpha.start();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");

    const before = Object.keys(redis.natMap);
    await redis.restartAll({ newAddresses: true });
    await redis.healthy();
    expect(Object.keys(redis.natMap).filter((address) => before.includes(address))).toEqual([]);
    expect(await client.get("user:42")).toBe("is here");
    using clients = await connectToCluster(redis);
    await expectAllKeysFor(clients);
  });

  test("everything that is done to a set of them", async () => {
    await using redis = await new RedisSentinelContainer().withImage(base).start();
    const client = redis.client({ maxRetriesPerRequest: null });
    await client.set("user:42", "is here");
    const alpha = redis.alphaOf();
    await alpha.cutOff();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    await alpha.reconnect();
    await redis.healthy();
    await redis.alphaOf().replace();
    await redis.sentinels[0]?.replace();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    await redis.restartAll({ newAddresses: true });
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
  });

  test("another set that begins at the same port at the same time", async ({ onTestFinished }) => {
    const builder = () =>
      new RedisClusterContainer({ betasPerAlpha: 0 }).withImage(base).withFirstPort(25_900);
    const both = await Promise.all([builder().start(), builder().start()]);
    onTestFinished(async () => void (await Promise.all(both.map((redis) => redis.stop()))));
    const ports = both.flatMap(({ nodes }) => nodes.map(({ port }) => port));
    expect(new Set(ports).size).toBe(6);
  });
});

describe.skipIf(base === "").concurrent("one line says, and nothing is left,", () => {
  test("which directive the server does not know", async (context) => {
    const image = rename(base, "rekindle-test-directive:latest", context);
    const start = new RedisClusterContainer().withImage(image).withConfig({ "no-such": "thing" });
    await expect(start.start()).rejects.toThrow(/^node-\d ended by itself: 'no-such thing'/);
    expect(madeOf(image)).toEqual([]);
  });

  test("that the image has no server, or no shell", async ({ onTestFinished }) => {
    const name = "rekindle-test-none";
    onTestFinished(() => void docker("rmi", `${name}:shell`, `${name}:empty`));
    const script = `FROM ${base}\nUSER 0\nRUN rm -f $(command -v redis-server valkey-server)\n`;
    spawnSync("docker", ["build", "--tag", `${name}:shell`, "-"], { input: script });
    spawnSync("sh", ["-c", `tar -c --files-from /dev/null | docker import - ${name}:empty`]);
    for (const [tag, why] of [
      ["shell", "it has neither redis-server nor valkey-server"],
      ["empty", "it has no shell"],
    ]) {
      const start = new RedisClusterContainer().withImage(`${name}:${tag}`).start();
      await expect(start).rejects.toThrow(
        `the image ${name}:${tag} is none of Redis or Valkey: ${why}; name one with withImage()`,
      );
      expect(madeOf(`${name}:${tag}`)).toEqual([]);
    }
  });

  test("that there is no such image", async () => {
    const start = new RedisSentinelContainer().withImage("localhost:1/no/such:image").start();
    await expect(start).rejects.toThrow(
      /^there is no image localhost:1\/no\/such:image, and it cannot be pulled: .*; name another with withImage\(\)$/,
    );
  });
});
