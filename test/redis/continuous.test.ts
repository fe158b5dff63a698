/** `rekindle backup --continuous`: what is written after a snapshot comes back, by nothing but a server that loads the files. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/redis/connection.ts";
import {
  digestOf,
  end,
  openFolder,
  type StoreUnderTest,
  startBeta,
  startFrom,
  startFromStream,
  startServer,
} from "./backups-under-test.ts";
import { openRoom, printed, type Running } from "./commands-under-test.ts";
import { ask } from "./nodes-under-test.ts";
import { until } from "./until.ts";

type Node = { readonly port: number };

function startContinuous(
  store: StoreUnderTest,
  { port }: Node,
  ...more: readonly string[]
): Running {
  const flags = [
    "--to",
    store.url,
    "--connect",
    `127.0.0.1:${port}`,
    "--every",
    "1d",
    "--continuous",
  ];
  const running = openRoom().start("backup", ...flags, "--log-format", "json", ...more);
  onTestFinished(() => end(running.process));
  return running;
}
const untilTaken = (store: StoreUnderTest, count: number) =>
  until(`${count} snapshots`, store.manifests, (all) => all.length >= count);
const newest = (store: StoreUnderTest) =>
  store.manifests().at(-1) as NonNullable<ReturnType<StoreUnderTest["manifests"]>[number]>;

async function stop(running: Running): Promise<void> {
  running.process.kill("SIGTERM");
  expect((await running.finished).exitCode).toBe(0);
}

/** All that was written up to now is in a segment. */
async function untilStored(store: StoreUnderTest, node: Node, value: string): Promise<void> {
  await ask(node, [["SET", "last", value]]);
  const { stream } = newest(store).shards[0] ?? {};
  await until(
    `"${value}" in the store`,
    () =>
      // Whole ones only: one that is being written is in no restore.
      store
        .files()
        .filter((name) => name.startsWith(`stream/${stream}/`) && name.endsWith(".aof"))
        .slice(-3)
        .map((name) => store.read(name).toString()),
    (all) => all.some((text) => text.includes(value)),
  );
}

test("writes in several databases, transactions and scripts come back; later snapshots are places in the same stream", async () => {
  const [node, store] = [await startServer(24_700), openFolder()];
  await ask(node, [
    ["SELECT", 3],
    ["SET", "before", 1],
  ]);
  const running = startContinuous(store, node);
  await untilTaken(store, 1);
  await ask(node, [
    ["SELECT", 3],
    ["INCR", "before"],
    ["MULTI"],
    ["SET", "a", "#TS:1\r\n"],
    ["SELECT", 5],
    ["SET", "b", 2],
    ["EXEC"],
    ["EVAL", "redis.call('set', KEYS[1], 'x') redis.call('expire', KEYS[1], 1000)", 1, "script"],
  ]);
  await untilStored(store, node, "first-value");
  running.process.kill("SIGUSR1");
  await untilTaken(store, 2);
  await ask(node, [
    ["SELECT", 5],
    ["DEL", "script"],
    ["RPUSH", "list", 1, 2],
  ]);
  await stop(running);
  const digest = await digestOf(node);
  const [first, second] = store.manifests();
  if (!first || !second) throw new Error("there are no two snapshots");
  expect(second.shards[0]?.stream).toBe(first.shards[0]?.stream);
  expect(second.shards[0]?.offset).toBeGreaterThan(first.shards[0]?.offset ?? 0);
  const segments = store.segments();
  segments.forEach((one, index) => {
    expect(one.from).toBe(segments[index - 1]?.to ?? first.shards[0]?.offset);
  });
  expect(await digestOf(await startFromStream(24_701, store, first))).toBe(digest);
  expect(await digestOf(await startFromStream(24_702, store, second))).toBe(digest);
});

test("from a beta, whose stream goes on in the database where it is", async () => {
  const [alpha, store] = [await startServer(24_710), openFolder()];
  const beta = await startBeta(24_711, alpha);
  const writer = await connect(
    { ip: "127.0.0.1", port: alpha.port, busPort: 0 },
    { credentials: { user: undefined, password: undefined }, tls: undefined, deadlineMs: 5_000 },
  );
  onTestFinished(() => writer.close());
  await writer.send([
    ["SELECT", 3],
    ["SET", "a", 1],
    ["WAIT", 1, 5_000],
  ]);
  const running = startContinuous(store, alpha);
  await untilTaken(store, 1);
  expect(running.output()).toContain("copying the beta");
  // No SELECT is sent: the stream is there already.
  await writer.send([
    ["INCR", "a"],
    ["SET", "b", 2],
    ["WAIT", 1, 5_000],
  ]);
  const digest = await digestOf(beta);
  await until(
    "a segment",
    () => store.segments(),
    (all) => all.length > 0,
  );
  await stop(running);
  expect(await digestOf(await startFromStream(24_712, store, newest(store)))).toBe(digest);
});

test("through a failover the stream goes on without a gap; where no server has what follows, a snapshot begins another one", async () => {
  const [alpha, store] = [await startServer(24_720), openFolder()];
  const [beta, other] = [await startBeta(24_721, alpha), await startBeta(24_722, alpha)];
  const running = startContinuous(store, alpha);
  await untilTaken(store, 1);
  await untilStored(store, alpha, "before-failover");
  const source = running.output().includes("copying the beta 127.0.0.1:24721") ? beta : other;
  const promoted = source === beta ? other : beta;
  await until(
    "both betas with everything",
    async () => (await Promise.all([beta, other].map((one) => ask(one, [["GET", "last"]])))).flat(),
    (values) => values.every((value) => value === "before-failover"),
  );
  alpha.process.kill("SIGKILL");
  await ask(promoted, [["REPLICAOF", "NO", "ONE"]]);
  await ask(source, [["REPLICAOF", "127.0.0.1", promoted.port]]);
  await untilStored(store, promoted, "after-failover");
  source.process.kill("SIGKILL");
  await printed(running, "goes on without a gap");
  await untilStored(store, promoted, "from-the-alpha");
  expect(store.manifests()).toHaveLength(1);
  const digest = await digestOf(promoted);
  expect(await digestOf(await startFromStream(24_723, store, newest(store)))).toBe(digest);
  // A server with another history at the same place.
  await end(promoted.process);
  const stranger = await startServer(promoted.port);
  await printed(running, "no server has what follows; a snapshot begins another one");
  await untilTaken(store, 2);
  await untilStored(store, stranger, "another-stream");
  const [first, second] = store.manifests();
  expect(second?.shards[0]?.stream).not.toBe(first?.shards[0]?.stream);
  await stop(running);
  expect(await digestOf(await startFromStream(24_724, store, newest(store)))).toBe(
    await digestOf(stranger),
  );
}, 120_000);

test("killed with everything else, at most the last moment is lost", async () => {
  const [node, store] = [await startServer(24_730), openFolder()];
  const running = startContinuous(store, node);
  await untilTaken(store, 1);
  const writtenAt = new Map<number, number>();
  const startedAt = performance.now();
  // At any moment of a second.
  const lastsMs = 3_000 + Math.random() * 1_000;
  let [count, isOver] = [0, false];
  const writing = (async () => {
    while (!isOver) {
      await ask(node, [["SET", "counter", count + 1]]).catch(() => {
        isOver = true;
      });
      if (!isOver) writtenAt.set(++count, performance.now());
    }
  })();
  await until(
    "seconds of writes",
    () => performance.now() - startedAt,
    (ms) => ms > lastsMs,
  );
  const killedAt = performance.now();
  running.process.kill("SIGKILL");
  node.process.kill("SIGKILL");
  isOver = true;
  await writing;
  const restored = await startFromStream(24_731, store, newest(store));
  const kept = Number((await ask(restored, [["GET", "counter"]]))[0]);
  const lostMs = killedAt - (writtenAt.get(kept + 1) ?? killedAt);
  console.log(
    `loss: ${count - kept} of ${count} writes, those of the last ${Math.round(lostMs)} ms`,
  );
  expect(kept).toBeGreaterThan(0);
  expect(lostMs).toBeLessThan(2_000);
});

test("what no snapshot needs any more is removed from the stream", async () => {
  const [node, store] = [await startServer(24_740), openFolder()];
  const running = startContinuous(store, node, "--keep-last", "1");
  await untilTaken(store, 1);
  await untilStored(store, node, "first-value");
  const [before] = store.segments();
  const first = newest(store).id;
  running.process.kill("SIGUSR1");
  await until(
    "another snapshot alone",
    store.manifests,
    (all) => all.length === 1 && all[0]?.id !== first,
  );
  await printed(running, "segments of streams: no snapshot needs them");
  expect(store.segments().some((one) => one.from === before?.from)).toBe(false);
  await untilStored(store, node, "second-value");
  await stop(running);
  expect(await digestOf(await startFromStream(24_741, store, newest(store)))).toBe(
    await digestOf(node),
  );
  expect(await digestOf(await startFrom(24_742, store, newest(store)))).not.toBe(
    await digestOf(node),
  );
});

test("while the store is away what memory holds waits for it; beyond that the stream ends, and a snapshot begins another one", async () => {
  const [node, store] = [await startServer(24_750), openFolder()];
  const running = startContinuous(store, node);
  await printed(running, "is in file:");
  const aside = `${store.folder}.away`;
  const goAway = () => {
    renameSync(store.folder, aside);
    writeFileSync(store.folder, "");
  };
  const comeBack = () => {
    rmSync(store.folder);
    renameSync(aside, store.folder);
  };
  goAway();
  await ask(node, [["SET", "kept", "in-memory"]]);
  await printed(running, "is kept: ");
  comeBack();
  await untilStored(store, node, "the-store-is-back");
  expect(await digestOf(await startFromStream(24_751, store, newest(store)))).toBe(
    await digestOf(node),
  );
  goAway();
  for (let n = 0; n < 40; n++) await ask(node, [["SET", `large:${n}`, "x".repeat(1_000_000)]]);
  await printed(running, "more was written than memory holds while the store took nothing");
  comeBack();
  running.process.kill("SIGUSR1");
  await untilTaken(store, 2);
  await untilStored(store, node, "another-stream");
  await stop(running);
  expect(await digestOf(await startFromStream(24_752, store, newest(store)))).toBe(
    await digestOf(node),
  );
});
