/**
 * What of an application's cache outlives what: the quick part of `npm run experiment`, whose table is in README.
 */
import { describe, expect } from "vitest";
import { until } from "../redis/until.ts";
import { execIn, onKubernetes } from "./api-under-test.ts";
import { createCache, type Fate, fates, type Home, statusOf, suffer } from "./cache-under-test.ts";
import { nameOf } from "./site-under-test.ts";

const expected: readonly (readonly [Home, Fate, boolean])[] = [
  ["no volume", "the redis container is killed", false],
  ["emptyDir", "redis exits cleanly", true],
  ["a claim", "the pod is deleted", true],
  ["emptyDir and a store", "the pod is deleted", true],
];

describe.concurrent("an application that crashes, and its cache", () => {
  for (const [home, fate, isKept] of expected)
    onKubernetes(`${home}: ${fate}, and the counter is ${isKept ? "kept" : "lost"}`, async () => {
      await using cache = await createCache(home);
      const outcome = await suffer(cache, fate);
      expect(outcome).toMatchObject({ isKept });
      // Only the application was away: the server has nothing to tell.
      if (outcome.awayMs === 0) return;
      expect(outcome.logged).toContain(isKept ? "loads appendonlydir" : "starts empty");
    });

  onKubernetes("what is refused, and what to do, stands in kubectl describe", async () => {
    await using cache = await createCache("emptyDir");
    const pod = await cache.find();
    const damage = "echo file >/data/appendonlydir/appendonly.aof.manifest";
    await execIn(cache.namespace, nameOf(pod), "redis", ["sh", "-c", damage]);
    await fates["the redis container is killed"](cache);
    const seen = await until(
      "its end",
      async () => {
        const status = statusOf(await cache.find(), "redis");
        return status?.state?.terminated ?? status?.lastState?.terminated;
      },
      (ended) => ended?.exitCode === 65,
      60_000,
    );
    expect(seen?.message).toContain("appendonly.aof.manifest cannot be used: line 1");
    expect(seen?.message).toContain("put the manifest back");
  });
});
