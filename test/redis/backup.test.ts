/** `rekindle backup`: real servers, of which a copy is taken and brought back by nothing but a server that loads it. */
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseInfo } from "../../src/redis/info.ts";
import { parseBetas } from "../../src/replication/observe.ts";
import {
  digestOf,
  end,
  openFolder,
  type ServerUnderTest,
  type StoreUnderTest,
  startBeta,
  startFrom,
  startServer,
} from "./backups-under-test.ts";
import { makeCertificates } from "./certificates-under-test.ts";
import { openRoom, printed } from "./commands-under-test.ts";
import { ask, bootAll, createNodes, shardsOf, untilWhole, writeKeys } from "./nodes-under-test.ts";
import { until } from "./until.ts";

const at = ({ port }: { readonly port: number }) => ["--connect", `127.0.0.1:${port}`];
const backUp = (
  store: StoreUnderTest,
  from: { readonly port: number },
  ...more: readonly string[]
) => openRoom().run("backup", "--to", store.url, "--log-format", "json", ...at(from), ...more);

/** Of several kinds, in two databases. */
const fill = (node: { readonly port: number }) =>
  ask(node, [
    ["SET", "text", "a\r\nb"],
    ["RPUSH", "list", 1, 2, 3],
    ["HSET", "hash", "field", "value"],
    ["SELECT", 3],
    ["ZADD", "sorted", 1.5, "member"],
    ["XADD", "stream", "1-1", "field", "value"],
  ]);

/** The child that makes the copy takes a second for each thousand keys. */
const slowDown = (node: { readonly port: number }, keys: number) =>
  ask(node, [
    ["DEBUG", "POPULATE", keys, "key", 1_000],
    ["CONFIG", "SET", "rdb-key-save-delay", 1_000],
  ]);
const isUnderWay = (store: StoreUnderTest) =>
  until("a copy under way", store.files, (files) => files.some((name) => name.endsWith(".part")));

test.each([
  ["without the disk of the server", "yes"],
  ["by way of the disk of the server", "no"],
])("one server, %s: the copy loads and holds the same", async (_, diskless) => {
  const [node, store] = [
    await startServer(24_600, ["--repl-diskless-sync", diskless]),
    openFolder(),
  ];
  await fill(node);
  const { exitCode, stdout } = await backUp(store, node);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /"message":"snapshot \d{8}T\d{6}Z-[0-9a-f]{4} is in file:.*"shards":1,"bytes":\d+/,
  );
  const [manifest] = store.manifests();
  expect(manifest).toMatchObject({
    topology: "standalone",
    server: { name: "redis" },
    shards: [{ file: "0.rdb", slots: [] }],
  });
  expect(await digestOf(await startFrom(24_601, store, manifest as never))).toBe(
    await digestOf(node),
  );
});

test("of a set the beta is read, whichever node is named, and nobody takes us for another beta", async () => {
  const [alpha, store] = [await startServer(24_610), openFolder()];
  const beta = await startBeta(24_611, alpha);
  await fill(alpha);
  await ask(alpha, [
    ["SET", "last", "1"],
    ["WAIT", 1, 5_000],
  ]);
  await slowDown(beta, 2_000);
  const digest = await digestOf(beta);
  const running = backUp(store, alpha);
  await isUnderWay(store);
  const links = parseInfo(String((await ask(beta, [["INFO", "replication"]]))[0]));
  expect([links.get("slave0"), parseBetas(links)]).toEqual([
    expect.stringContaining("port=65536,"),
    [],
  ]);
  const { exitCode, stdout } = await running;
  expect([exitCode, stdout]).toEqual([
    0,
    expect.stringContaining("copying the beta 127.0.0.1:24611"),
  ]);
  const [manifest] = store.manifests();
  expect(manifest?.topology).toBe("replication");
  expect(await digestOf(await startFrom(24_612, store, manifest as never))).toBe(digest);
});

test("a cluster: one copy of each shard from its beta, with the slot table; none while a slot is on its way", async () => {
  await using cluster = createNodes(21_800, 6); // Their bus ports lie below those that connections are given.
  const store = openFolder();
  const config = join(cluster.root, "redis.conf");
  writeFileSync(config, "enable-debug-command yes\nrepl-diskless-sync-delay 0\n");
  bootAll(cluster.nodes, { flags: ["--config", config] });
  await untilWhole(cluster.nodes);
  await writeKeys(cluster.nodes, 50);
  const [first, second] = await shardsOf(cluster.nodes);
  if (!first || !second) throw new Error("there are no shards");
  const [id] = await ask(second.alpha, [["CLUSTER", "MYID"]]);
  await ask(first.alpha, [
    ["CLUSTER", "SETSLOT", first.slots[0]?.[0] ?? 0, "MIGRATING", String(id)],
  ]);
  const running = openRoom().start("backup", "--to", store.url, ...at(first.alpha));
  await printed(running, "are on their way to another node");
  expect(store.files()).toEqual([]);
  await ask(first.alpha, [["CLUSTER", "SETSLOT", first.slots[0]?.[0] ?? 0, "STABLE"]]);
  const { exitCode, stdout } = await running.finished;
  expect([exitCode, stdout.match(/copying the beta/g)]).toEqual([
    0,
    Array(3).fill("copying the beta"),
  ]);
  const [manifest] = store.manifests();
  expect(manifest?.shards.map(({ slots }) => slots)).toEqual([
    ["0-5460"],
    ["5461-10922"],
    ["10923-16383"],
  ]);
  for (const [index, { alpha }] of (await shardsOf(cluster.nodes)).entries()) {
    const restored = await startFrom(24_630 + index, store, manifest as never, `${index}.rdb`);
    expect(await digestOf(restored)).toBe(await digestOf(alpha));
  }
});

test("killed in the middle, it leaves nothing that is listed; the next one clears away what is a day old, and nothing younger", async () => {
  const [node, store] = [await startServer(24_640), openFolder()];
  await slowDown(node, 3_000);
  const killed = openRoom().start("backup", "--to", store.url, ...at(node));
  await isUnderWay(store);
  killed.process.kill("SIGKILL");
  await killed.finished;
  const [left = ""] = store.files();
  expect(store.files()).toHaveLength(1);
  await ask(node, [["CONFIG", "SET", "rdb-key-save-delay", 0]]);
  expect((await backUp(store, node)).exitCode).toBe(0);
  expect(store.files()).toContain(left);
  expect(store.manifests()).toHaveLength(1);
  // The same, and one whose manifest only is missing, a day later.
  const old = "snapshots/20200101T000000Z-abcd";
  mkdirSync(join(store.folder, old), { recursive: true });
  writeFileSync(join(store.folder, old, "0.rdb"), "REDIS");
  for (const name of [left, `${old}/0.rdb`]) utimesSync(join(store.folder, name), 1, 1);
  const { exitCode, stdout } = await backUp(store, node);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /removing what is left of the snapshot 20200101T000000Z-abcd.*removed 1 unfinished uploads/s,
  );
  expect(store.files()).toHaveLength(4);
  expect(store.manifests()).toHaveLength(2);
});

test("a server that dies in the middle: one line says so, and nothing is left", async () => {
  const [node, store] = [await startServer(24_650), openFolder()];
  await slowDown(node, 3_000);
  const running = backUp(store, node);
  await isUnderWay(store);
  node.process.kill("SIGKILL");
  const { exitCode, stderr } = await running;
  expect(stderr).toMatch(
    /127.0.0.1:24650 broke off in the middle of the copy.*client-output-buffer-limit/,
  );
  expect([exitCode, store.files()]).toEqual([75, []]);
});

test("SIGTERM in the middle ends it at once, and nothing is left", async () => {
  const [node, store] = [await startServer(24_655), openFolder()];
  await slowDown(node, 30_000);
  const running = openRoom().start("backup", "--to", store.url, ...at(node));
  await isUnderWay(store);
  running.process.kill("SIGTERM");
  expect((await running.finished).exitCode).toBe(143);
  expect(store.files()).toEqual([]);
});

const startResident = (
  store: StoreUnderTest,
  node: ServerUnderTest,
  ...more: readonly string[]
) => {
  const running = openRoom().start(
    "backup",
    "--to",
    store.url,
    "--log-format",
    "json",
    ...at(node),
    ...more,
  );
  onTestFinished(() => end(running.process));
  return running;
};
const untilTaken = (store: StoreUnderTest, count: number) =>
  until(`${count} snapshots`, store.manifests, (all) => all.length >= count);

test("resident, it takes one on a schedule, keeps what the rules say, tells its figures, and does not begin anew when it is restarted", async () => {
  const [node, store] = [await startServer(24_660), openFolder()];
  const resident = startResident(
    store,
    node,
    "--every",
    "1s",
    "--keep-last",
    "2",
    "--dir",
    node.dir,
  );
  await printed(resident, "no rule keeps it");
  resident.process.kill("SIGTERM");
  expect((await resident.finished).exitCode).toBe(0);
  const taken = store.manifests().map(({ id }) => id);
  expect(taken.length).toBeLessThanOrEqual(3);
  const figures = () => readFileSync(join(node.dir, "rekindle-backup.prom"), "utf8");
  expect(figures()).toMatch(/rekindle_backup_duration_seconds_count\{outcome="done"\} [3-9]/);
  expect(figures()).toMatch(/rekindle_backup_interval_seconds 1\n/);
  const again = startResident(store, node, "--every", "31d", "--dir", node.dir);
  await until("another interval", figures, (text) =>
    text.includes("rekindle_backup_interval_seconds 2678400\n"),
  );
  expect(store.manifests().map(({ id }) => id)).toEqual(taken);
  again.process.kill("SIGUSR1");
  await untilTaken(store, taken.length + 1);
  await node.process.kill("SIGKILL");
  again.process.kill("SIGUSR1");
  await printed(again, "no alpha and no beta in sync answers");
});

test("of several sidecars one takes the snapshots, and it is not the alpha's", async () => {
  const [alpha, store] = [await startServer(24_670), openFolder()];
  const nodes = [alpha, await startBeta(24_671, alpha), await startBeta(24_672, alpha)];
  const sidecars = nodes.map(({ port, dir }) =>
    openRoom().start(
      "sidecar",
      "--backup",
      store.url,
      "--every",
      "1d",
      "--port",
      `${port}`,
      "--dir",
      dir,
      "--log-format",
      "json",
    ),
  );
  await untilTaken(store, 1);
  const idle = sidecars.filter((one) => !one.output().includes("is in file:"));
  expect(idle).toHaveLength(2);
  for (const one of idle) await printed(one, "snapshots are another's turn");
  expect(store.manifests()).toHaveLength(1);
  expect(idle).toContain(sidecars[0]);
  // Whom a person asks takes one, whosever turn it is.
  sidecars[0]?.process.kill("SIGUSR1");
  await untilTaken(store, 2);
  for (const one of sidecars) one.process.kill("SIGTERM");
  expect(
    (await Promise.all(sidecars.map(({ finished }) => finished))).map(({ exitCode }) => exitCode),
  ).toEqual([0, 0, 0]);
});

test("with a password, an ACL user and what it may do", async () => {
  const [node, store] = [await startServer(24_680, ["--requirepass", "secret"]), openFolder()];
  const access = { password: Buffer.from("secret") };
  const passwordFile = join(node.dir, "password");
  writeFileSync(passwordFile, "pass word\n");
  await ask(
    node,
    [
      [
        "ACL",
        "SETUSER",
        "copier",
        "on",
        ">pass word",
        "+psync",
        "+replconf",
        "+ping",
        "+info",
        "+dbsize",
        "+config|get",
        "+auth",
      ],
    ],
    access,
  );
  const user = ["--user", "copier", "--password-file", passwordFile];
  expect((await backUp(store, node, ...user)).exitCode).toBe(0);
  await ask(node, [["ACL", "SETUSER", "copier", "-psync"]], access);
  const denied = await backUp(store, node, ...user);
  expect(denied.stderr).toMatch(
    /24680 does not take us for a replica: NOPERM.*ACL SETUSER copier \+psync \+replconf \+ping/,
  );
  expect(denied.exitCode).toBe(78);
  const stranger = await backUp(store, node);
  expect(stranger.stderr).toMatch(/no snapshot.*NOAUTH.*check --user, --password-file/);
  expect([stranger.exitCode, store.manifests().length]).toEqual([78, 1]);
});

test("over TLS", async () => {
  const store = openFolder();
  const { flags, files } = makeCertificates(store.folder);
  const [, cert = "", , key = "", , ca = ""] = flags;
  const tls = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca];
  const node = await startServer(24_690, ["--tls-port", "24691", ...tls]);
  await fill(node);
  await slowDown(node, 1_000);
  expect((await backUp(store, { port: 24_691 }, ...flags)).exitCode).toBe(0);
  const [manifest] = store.manifests();
  expect(await digestOf(await startFrom(24_692, store, manifest as never))).toBe(
    await digestOf(node),
  );
  const plain = await backUp(store, { port: 24_691 });
  expect(plain.stderr).toMatch(/no snapshot.*24691: .*does it ask for TLS\?/);
  expect([plain.exitCode, files.ca.length > 0]).toEqual([75, true]);
});

test.each([
  [[], 64, /not said where the snapshot goes.*--to/],
  [["--to=/var/backups"], 78, /\/var\/backups/],
  [
    ["--to=file:///x", "--every=often"],
    64,
    /--every is .*often.*, expected a time like 30m, 6h or 1d/,
  ],
  [["--to=file:///x", "--continuous"], 64, /--continuous is given without --every/],
  [["--to=file:///x", "--keep-last=0"], 64, /--keep-last is .*0.*, expected a whole number/],
  [["--to=file:///x", "--tls-cert=x"], 78, /TLS needs --tls-key and --tls-ca too/],
  [
    ["--to=file:///proc/x", "--connect=127.0.0.1:24699"],
    75,
    /no snapshot: no alpha and no beta in sync answers \(127.0.0.1:24699: nothing listens there yet\)/,
  ],
])("it refuses %j", async (args, exit, message) => {
  const { exitCode, stderr } = await openRoom().run("backup", "--log-format=json", ...args);
  expect(stderr).toMatch(message);
  expect(exitCode).toBe(exit);
});
