/** The library's clusters and sets of processes; of containers they are tested beside the image. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { RedisClusterProcesses, RedisSentinelProcesses } from "../../src/testing/index.ts";
import { connectToCluster, connectToSet, expectAllKeysFor } from "./clients-under-test.ts";
import { expectRefused } from "./commands-under-test.ts";
import { until } from "./until.ts";

const library = fileURLToPath(new URL("../../src/testing/index.ts", import.meta.url));

/** Runs a program of its own, as a test of somebody else's is one. */
const run = (program: string, environment: NodeJS.ProcessEnv = {}) =>
  spawnSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `const library = await import(${JSON.stringify(library)});\n${program}`,
    ],
    { encoding: "utf8", env: { PATH: process.env.PATH, ...environment } },
  );

describe.concurrent("a cluster of processes", () => {
  it("bears everything that is done to it, and every client finds it", async () => {
    await using redis = await new RedisClusterProcesses({ alphas: 3, betasPerAlpha: 1 })
      .withPassword('quotes " and \\ and $pace')
      .withConfig({ "maxmemory-policy": "allkeys-lru" })
      .withFirstPort(25_000)
      .start();
    expect(redis.nodes).toHaveLength(6);
    expect(redis.natMap).toEqual({});
    using clients = await connectToCluster(redis);
    await expectAllKeysFor(clients);
    const client = redis.client();
    expect(await client.config("GET", "maxmemory-policy")).toContain("allkeys-lru");
    await client.set("user:42", "is here");

    const alpha = redis.alphaOf("user:42");
    await alpha.kill();
    await expect(alpha.kill()).rejects.toThrow(/^node-\d is killed; call start\(\) first$/);
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    const next = await redis.alphaOf("user:42").node();
    expect(next.name).not.toBe((await alpha.node()).name);
    await alpha.start();
    await redis.healthy();
    expect((await redis.betaOf("user:42").node()).name).toBe((await alpha.node()).name);

    await next.replace();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    expect((await redis.betaOf("user:42").node()).name).toBe(next.name);
    // node-redis waits for ever for a node that went before it was connected to it, and closes itself when it finds none at all.
    using later = await connectToCluster(redis);
    await expectAllKeysFor(later);

    await redis.restartAll();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    using anew = await connectToCluster(redis);
    await expectAllKeysFor(anew);

    await redis.restartAll({ newAddresses: true });
    await redis.healthy();
    expect(await redis.client().get("user:42")).toBe("is here");
    // Each wait has a deadline of its own, and says what it waits for.
  }, 300_000);

  it("has an empty alpha where one is replaced that no beta copies", async () => {
    await using redis = await new RedisClusterProcesses({ betasPerAlpha: 0 })
      .withFirstPort(25_100)
      .start();
    const client = redis.client();
    await client.set("user:42", "is here");
    await redis.alphaOf("user:42").replace();
    await redis.healthy();
    expect(await redis.client().get("user:42")).toBeNull();
  });

  it("says what is not whole when the time is up, and waits for nobody who was broken on purpose", async () => {
    await using redis = await new RedisClusterProcesses().withFirstPort(25_150).start();
    const [alpha, beta] = [redis.alphaOf("key"), redis.betaOf("key")];
    await beta.pause();
    await redis.healthy();
    await alpha.pause();
    await expect(redis.healthy({ timeoutMs: 200 })).rejects.toThrow(
      /^not healthy after 200 ms: .*slots \d+-\d+ are served by nobody/,
    );
    await beta.resume();
    await redis.healthy();
    await alpha.resume();
    await redis.healthy();
    await expect(alpha.cutOff()).rejects.toThrow("cannot be cut off");
  });

  it("leaves nothing behind, stopped or killed in the middle of a test, and two do not take each other's ports", async () => {
    const builder = () => new RedisClusterProcesses({ betasPerAlpha: 0 }).withFirstPort(25_200);
    const both = await Promise.all([builder().start(), builder().start()]);
    const ports = both.flatMap(({ nodes }) => nodes.map(({ port }) => port));
    expect(new Set(ports).size).toBe(6);
    await Promise.all(both.map((redis) => redis.stop()));
    for (const port of ports) await expectRefused({ ip: "127.0.0.1", port, busPort: 0 });

    const { stdout, stderr } = run(`
      const redis = await new library.RedisClusterProcesses().withFirstPort(25250).start();
      console.log(redis.nodes.map(({ port }) => port).join());
      process.kill(process.pid, "SIGKILL");`);
    expect(stdout, stderr).toMatch(/^\d+,/);
    for (const port of stdout.trim().split(",").map(Number))
      await until(
        "the end",
        () =>
          expectRefused({ ip: "127.0.0.1", port, busPort: 0 }).then(
            () => true,
            () => false,
          ),
        (isRefused) => isRefused,
        5_000,
      );
  });
});

describe.concurrent("a set of processes", () => {
  it("bears everything that is done to it, and every client goes on with it", async () => {
    await using redis = await new RedisSentinelProcesses({ betas: 2, sentinels: 3 })
      .withPassword('quotes " and \\ and $pace')
      .withFirstPort(25_300)
      .start();
    expect(redis.nodes).toHaveLength(3);
    using clients = await connectToSet(redis);
    await expectAllKeysFor(clients);
    const client = redis.client({ maxRetriesPerRequest: null });
    await client.set("user:42", "is here");

    const alpha = redis.alphaOf();
    await alpha.kill();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    await alpha.start();
    await redis.healthy();
    await redis.alphaOf().replace();
    await redis.sentinels[0]?.replace();
    await redis.healthy();
    expect(await client.get("user:42")).toBe("is here");
    await redis.restartAll();
    await redis.healthy();
    await expectAllKeysFor(clients);
    await redis.restartAll({ newAddresses: true });
    await redis.healthy();
    expect(await redis.client().get("user:42")).toBe("is here");
  });
});

describe.concurrent("one line says", () => {
  it.each([
    [
      () => new RedisClusterProcesses({ alphas: 1 }),
      "a cluster of 1 alpha cannot replace one that is lost; choose three or more",
    ],
    [() => new RedisClusterProcesses({ alphas: 2 }), "a cluster of 2 alphas cannot"],
    [
      () => new RedisClusterProcesses({ alphas: 3.5 }),
      "the number of alphas is 3.5; choose a whole number",
    ],
    [() => new RedisSentinelProcesses({ betas: 0 }), "the number of betas is 0; choose"],
    [() => new RedisClusterProcesses().withPassword(""), "the password is empty"],
    [
      () => new RedisClusterProcesses().withConfig({ requirepass: "secret" }),
      "withConfig() cannot set requirepass",
    ],
    [() => new RedisClusterProcesses().withFirstPort(60_000), "the first port is 60000; choose"],
  ])("at once what a builder was given that cannot be: %s", (build, message) => {
    expect(build).toThrow(message);
  });

  it("which directive the server does not know, and nothing is left", async () => {
    const start = new RedisClusterProcesses()
      .withConfig({ "no-such": "thing" })
      .withFirstPort(25_350)
      .start();
    await expect(start).rejects.toThrow(
      /^node-\d cannot be started: 'no-such thing' is not understood; change what withConfig\(\) gives$/,
    );
    await expectRefused({ ip: "127.0.0.1", port: 25_350, busPort: 0 });
  });

  it("that there is no server", async () => {
    const start = new RedisClusterProcesses().withServer("/no/such-server").start();
    await expect(start).rejects.toThrow(
      "/no/such-server was not found; install Redis or Valkey, or name its server with withServer()",
    );
  });

  it("that no Docker engine answers; who starts processes does not even load what would ask it", () => {
    const { stdout, stderr } = run(
      `const { createRequire } = await import("node:module");
      const isLoaded = () => Object.keys(createRequire(${JSON.stringify(library)}).cache).some((path) => path.includes("testcontainers"));
      await (await new library.RedisClusterProcesses({ betasPerAlpha: 0 }).withFirstPort(25400).start()).stop();
      const before = isLoaded();
      await new library.RedisClusterContainer().start().catch(({ message }) => console.log(before, isLoaded(), message));`,
      { DOCKER_HOST: "tcp://127.0.0.1:1" },
    );
    expect(stdout, stderr).toMatch(
      /^false true no Docker engine answers: .*; start Docker, or use processes\n$/,
    );
  });
});
