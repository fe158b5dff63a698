/**
 * One alpha and its betas under Sentinel, as they are shipped, each event with a client that asks the Sentinels and writes and
 * reads all the while.
 */
import { afterAll, beforeAll, expect, inject } from "vitest";
import { until } from "../redis/until.ts";
import { type Holders, holdAddresses } from "./addresses-under-test.ts";
import { core, isWanted, onKubernetes, tryIn, type V1Pod } from "./api-under-test.ts";
import type { Summary } from "./load.ts";
import { addressOf, createSite, nameOf, pause, type Site } from "./site-under-test.ts";

const downAfterMs = 5_000;
/** A pod that is gone refuses nothing: a client waits for its connect timeout, asks a Sentinel again, and the machine is small. */
const clientMs = 3_000;
let holders: Holders;
let site: Site;

beforeAll(async () => {
  if (!isWanted) return;
  // More than are needed: Docker frees them one by one.
  holders = await holdAddresses(6);
  site = await createSite({ manifest: "sentinel" });
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

/** redis-cli against a Service, from a pod of none of the nodes. */
async function throughService(service: string, ...command: readonly string[]): Promise<string> {
  const line = `REDISCLI_AUTH=$(cat /etc/redis-secret/password) timeout 2 redis-cli -h ${service} "$@"`;
  const { output } = await tryIn(site.namespace, "tools", "tools", [
    ...["sh", "-c", line, "redis-cli"],
    ...command,
  ]);
  return output.trim();
}

/** Until a write through the Service is taken. @returns milliseconds. */
async function untilWriteServiceFollows(): Promise<number> {
  const startedAt = performance.now();
  await until(
    "a write through the Service",
    () => throughService("redis-write", "SET", "through", "service"),
    (said) => said === "OK",
    90_000,
  );
  return performance.now() - startedAt;
}

const podNamed = async (name: string): Promise<V1Pod> =>
  (await site.pods()).find((pod) => nameOf(pod) === name) as V1Pod;

/** The pods of the betas, by name. */
async function betas(): Promise<readonly string[]> {
  const alpha = nameOf(await site.podOf("alpha"));
  return (await site.pods()).map(nameOf).filter((name) => name !== alpha);
}

/** Everybody that any Sentinel lists: betas and Sentinels, with flags. */
async function listed(): Promise<readonly { name: string; betas: string[]; others: string[] }[]> {
  const ask = async (pod: V1Pod, what: string) => {
    const said = await site.redis(pod, "-p", "26379", "SENTINEL", what, "mymaster");
    const lines = said.split("\n");
    const values = (name: string) =>
      lines.flatMap((line, index) => (line === name ? [lines[index + 1] ?? ""] : []));
    const flags = values("flags");
    return values("ip").map((ip, index) => `${ip} ${flags[index]}`);
  };
  return Promise.all(
    (await site.pods()).map(async (pod) => ({
      name: nameOf(pod),
      betas: await ask(pod, "REPLICAS"),
      others: await ask(pod, "SENTINELS"),
    })),
  );
}

/** Every Sentinel lists two betas and two Sentinels, all of them well, and would elect another alpha. */
async function untilNobodyDeadIsListed(): Promise<void> {
  const isWell = (all: readonly string[], what: string) =>
    all.length === 2 && all.every((one) => one.endsWith(` ${what}`));
  await until(
    "Sentinels that list nobody dead",
    listed,
    (seen) =>
      seen.every(({ betas, others }) => isWell(betas, "slave") && isWell(others, "sentinel")),
    120_000,
    (seen) => JSON.stringify(seen, null, 1),
  );
  for (const pod of await site.pods())
    expect(await site.redis(pod, "-p", "26379", "SENTINEL", "CKQUORUM", "mymaster")).toMatch(/^OK/);
}

/** What an application may notice: one reconnection, no lost write. */
function expectNothingLost({ failures, lost, wrongReads, writes }: Summary): void {
  expect({ failures, lost, wrongReads }).toEqual({ failures: [], lost: 0, wrongReads: 0 });
  expect(writes).toBeGreaterThan(300);
}

/**
 * The alpha's pod takes a Sentinel with it, and the two that are left may vote each for itself: Sentinel's own lottery, after which
 * they try again. @returns how much longer that may take.
 */
async function splitVoteMs(): Promise<number> {
  const logs = await Promise.all(
    (await site.pods()).map((pod) =>
      core.readNamespacedPodLog({
        name: nameOf(pod),
        namespace: site.namespace,
        container: "sentinel",
      }),
    ),
  );
  return logs.join("").includes("-failover-abort-not-elected") ? 70_000 : 0;
}

const longestPause = ({ pauses }: Summary): number => Math.max(...pauses.map(({ ms }) => ms));

onKubernetes(
  "what is set through the write Service is on each beta, and the read Service has betas only",
  async () => {
    await untilWriteServiceFollows();
    expect(await throughService("redis-write", "SET", "here", "there")).toBe("OK");
    for (const beta of await betas())
      await until(
        `a copy on ${beta}`,
        async () => site.redis(await podNamed(beta), "GET", "here"),
        (said) => said === "there\n",
      );
    for (let turn = 0; turn < 4; turn++) {
      expect(await throughService("redis-read", "GET", "here")).toBe("there");
      expect(await throughService("redis-read", "SET", "here", "else")).toMatch(/^READONLY/);
    }
    await untilNobodyDeadIsListed();
  },
);

onKubernetes(
  "every pod at once, all addresses new: the newest data is there, and the Sentinels list nobody dead",
  async () => {
    const old = await site.pods();
    const before = new Set(old.map(addressOf));
    const load = await site.startLoad();
    // Lower than the set's: its next pods get these.
    await holders.release();
    await Promise.all(old.map((pod) => site.delete(pod)));
    await until(
      "the end of the old pods",
      async () => (await core.listNamespacedPod({ namespace: site.namespace })).items,
      (pods) =>
        pods.every(({ metadata }) => !old.some((one) => one.metadata?.uid === metadata?.uid)),
      120_000,
    );
    await site.waitUntilWhole();
    const { lost, wrongReads } = await load.end();
    expect({ lost, wrongReads }).toEqual({ lost: 0, wrongReads: 0 });
    for (const pod of await site.pods()) expect(before).not.toContain(addressOf(pod));
    await untilWriteServiceFollows();
    await untilNobodyDeadIsListed();
  },
);

onKubernetes(
  "the alpha's pod is deleted: no failed request, no lost write, the Services follow, it returns as a beta",
  async () => {
    const load = await site.startLoad();
    const before = nameOf(await site.podOf("alpha"));
    await site.delete(await podNamed(before));
    await pause(1_000);
    await site.waitUntilWhole();
    expectNothingLost(await load.end());
    expect(await betas()).toContain(before);
    await untilWriteServiceFollows();
    await untilNobodyDeadIsListed();
  },
);

onKubernetes(
  "the alpha's pod is deleted by force: another takes writes within down-after and 2 s, the Services follow",
  async () => {
    const load = await site.startLoad();
    const alpha = await site.podOf("alpha");
    await site.delete(alpha, { force: true });
    const followedMs = await untilWriteServiceFollows();
    await site.waitUntilWhole();
    const summary = await load.end();
    expect(summary.lost).toBeLessThan(summary.writes / 100);
    const limitMs = downAfterMs + 2_000 + clientMs + (await splitVoteMs());
    expect(longestPause(summary)).toBeLessThan(limitMs);
    expect(followedMs).toBeLessThan(limitMs);
    expect(await betas()).toContain(nameOf(alpha));
    await untilNobodyDeadIsListed();
  },
);

onKubernetes(
  "the alpha's server is killed with -9: nothing that was acknowledged is lost for long, one alpha afterwards",
  async () => {
    const load = await site.startLoad();
    await site.kill(await site.podOf("alpha"));
    await pause(1_000);
    await site.waitUntilWhole();
    const summary = await load.end();
    expect(summary.lost).toBeLessThan(summary.writes / 100);
    expect(longestPause(summary)).toBeLessThan(downAfterMs + 2_000 + clientMs);
    await untilWriteServiceFollows();
    await untilNobodyDeadIsListed();
  },
);

onKubernetes(
  "a Sentinel that is replaced has the same id, is known once, and all would elect",
  async () => {
    const pod = await podNamed("redis-1");
    const idOf = async () => (await site.redis(pod, "-p", "26379", "SENTINEL", "MYID")).trim();
    const id = await idOf();
    await site.exec(pod, "rm", "-r", "/data/sentinel/sentinel.conf");
    await site.kill(pod, "sentinel");
    await until(
      "the Sentinel's return",
      () => idOf().catch(() => ""),
      (said) => /^[0-9a-f]{40}$/.test(said),
      60_000,
    );
    expect(await idOf()).toBe(id);
    await site.waitUntilWhole();
    await untilNobodyDeadIsListed();
  },
);

onKubernetes("the alpha is scaled away: it hands over, and nothing is lost", async () => {
  await site.redis(await podNamed("redis-2"), "CONFIG", "SET", "replica-priority", "1");
  const handOver = async () => {
    const alpha = await site.podOf("alpha");
    if (nameOf(alpha) !== "redis-2") await site.exec(alpha, "rekindle", "drain");
    await site.waitUntilWhole();
    return nameOf(await site.podOf("alpha"));
  };
  await until("redis-2 as the alpha", handOver, (name) => name === "redis-2", 180_000);
  const load = await site.startLoad();
  await site.scale(2);
  await pause(1_000);
  await site.waitUntilReady(2);
  await untilWriteServiceFollows();
  await site.scale(3);
  await pause(1_000);
  await site.waitUntilWhole();
  expectNothingLost(await load.end());
  await untilNobodyDeadIsListed();
});

onKubernetes(
  "the alpha is cut off from all others for 30 s: one alpha afterwards, and what it took is counted and said",
  async () => {
    const alpha = await site.podOf("alpha");
    const comeBack = await site.cutOff(alpha);
    const isOver = pause(30_000);
    try {
      await untilWriteServiceFollows();
      const set = 'REDISCLI_AUTH=$(cat /etc/redis-secret/password) redis-cli SET "$1" lost';
      for (const key of ["lost:1", "lost:2"]) await site.exec(alpha, "sh", "-c", set, "sh", key);
      await isOver;
    } finally {
      comeBack();
    }
    await site.waitUntilWhole();
    expect(nameOf(await site.podOf("alpha"))).not.toBe(nameOf(alpha));
    expect(await throughService("redis-write", "EXISTS", "lost:1", "lost:2", "through")).toBe("1");
    const events = (await site.events()).join("\n");
    expect(events).toMatch(/Dropped: .* follows it now, without 2 writes that nobody else has/);
    await untilNobodyDeadIsListed();
  },
);

onKubernetes(
  "a rolling update to another server version: no failed request, no acknowledged write lost",
  async () => {
    const load = await site.startLoad();
    const { nextImage } = inject("testImages");
    await site.setImage(nextImage);
    await until(
      "pods of the new image",
      () => site.pods(),
      (pods) =>
        pods.length === 3 && pods.every(({ spec }) => spec?.containers[0]?.image === nextImage),
      300_000,
    );
    await site.waitUntilWhole();
    expectNothingLost(await load.end());
    await untilWriteServiceFollows();
    await untilNobodyDeadIsListed();
  },
);
