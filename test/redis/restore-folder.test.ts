/** `rekindle restore` and `rekindle backups`, by hand, into folders that a real server then loads. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Command, Reply } from "../../src/redis/resp.ts";
import { startThrowAwayServer } from "../../src/redis/throw-away-server.ts";
import { type Manifest, manifestOf, rdbOf } from "../../src/snapshots/manifest.ts";
import { executable } from "./nodes-under-test.ts";
import { addSegment, logged, takeFolder, writeManifest } from "./snapshots-under-test.ts";

const server = "/usr/bin/redis-server";
const keys = 3_000;
let root = "";
let store = "";
let dir = "";
let manifest: Manifest;

const at = (seconds: number): string => new Date(1_795_636_800_000 + seconds * 1_000).toISOString();
const stamp = (seconds: number): string => `#TS:${1_795_636_800 + seconds}\r\n`;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "rekindle-restore-"));
  const source = join(root, "source");
  mkdirSync(source);
  await using running = await startThrowAwayServer(server, source, {});
  await running.ask(
    ...Array.from({ length: keys }, (_, i): Command => ["SET", `key:${i}`, `${i}`]),
  );
  await running.ask(["SAVE"]);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A store of its own for each test, with a snapshot of the second 0 and a stream of three seconds. */
beforeEach(() => {
  store = mkdtempSync(join(root, "store-"));
  dir = mkdtempSync(join(root, "data-"));
  manifest = takeFolder(store, [join(root, "source", "dump.rdb")], {
    topology: "standalone",
    endedAt: at(0),
    stream: "s1",
  });
  const select = logged("SELECT", "0");
  const first = addSegment(store, "s1", 0, `${stamp(1)}${select}${logged("SET", "after", "1")}`);
  const second = addSegment(
    store,
    "s1",
    first,
    `${stamp(2)}${logged("MULTI")}${logged("SET", "after", "2")}${logged("DEL", "key:0")}${logged("EXEC")}`,
  );
  addSegment(store, "s1", second, `${stamp(3)}${logged("FLUSHALL")}${logged("SET", "last", "3")}`);
});

const append = (): readonly string[] => {
  const config = join(root, "appendonly.conf");
  writeFileSync(config, "appendonly yes\n");
  return ["--config", config];
};

function rekindle(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(executable, args, { encoding: "utf8" });
  return { status, stdout, stderr };
}

const restore = (...more: readonly string[]) =>
  rekindle("restore", "--from", `file://${store}`, "--dir", dir, ...more);

async function askRestored(
  appendonly: "yes" | "no",
  ...commands: readonly Command[]
): Promise<readonly Reply[]> {
  await using running = await startThrowAwayServer(server, dir, { appendonly });
  return await running.ask(...commands);
}

const questions: readonly Command[] = [
  ["DBSIZE"],
  ["GET", "after"],
  ["GET", "last"],
  ["GET", "key:1"],
];

test.each(["yes", "no"] as const)(
  "to the newest, for a server with appendonly %s",
  async (appendonly) => {
    const { status, stderr, stdout } = restore(...(appendonly === "yes" ? append() : []));
    expect(status, stderr + stdout).toBe(0);
    expect(await askRestored(appendonly, ...questions)).toEqual([1, null, "3", null]);
  },
);

test.each(["yes", "no"] as const)(
  "to a moment, for a server with appendonly %s",
  async (appendonly) => {
    const { status, stderr } = restore("--at", at(2), ...(appendonly === "yes" ? append() : []));
    expect(status, stderr).toBe(0);
    expect(await askRestored(appendonly, ...questions)).toEqual([keys, "2", null, "1"]);
  },
);

test("the snapshot alone, as it was", async () => {
  const { status, stdout } = restore("--at", at(0));
  expect(status, stdout).toBe(0);
  const [from, to] = [join(store, rdbOf(manifest.id, { file: "0.rdb" })), join(dir, "dump.rdb")];
  expect(readFileSync(to).equals(readFileSync(from))).toBe(true);
  expect(readdirSync(dir).filter((name) => name.startsWith("rekindle-rest"))).toEqual([]);
});

test("some slots only", async () => {
  expect(restore("--slots", "0-8191", "--at", at(0)).status).toBe(0);
  const [some] = await askRestored("no", ["DBSIZE"]);
  expect(some).toBeGreaterThan(keys * 0.4);
  expect(some).toBeLessThan(keys * 0.6);
});

test("a gap in the stream ends it, and is told", async () => {
  const [, second = ""] = readdirSync(join(store, "stream/s1")).sort();
  rmSync(join(store, "stream/s1", second));
  const { status, stdout } = restore(...append());
  expect(status).toBe(0);
  expect(stdout).toContain(
    `the stream has a gap after offset ${Number(second.split("-")[0])}: the data is that of ${at(1)}`,
  );
  expect(await askRestored("yes", ...questions)).toEqual([keys + 1, "1", null, "1"]);
});

test("a moment that is later than all there is gives the newest, and is told", () => {
  const { status, stdout } = restore("--at", at(60));
  expect(status).toBe(0);
  expect(stdout).toContain(`nothing later is there: the data is that of ${at(3)}`);
});

test("--dry-run says what it would take, and writes nothing", () => {
  const { status, stdout } = restore("--dry-run");
  expect(status).toBe(0);
  expect(stdout).toContain(`snapshot ${manifest.id} of ${at(0)}, redis 7.0.15`);
  expect(stdout).toContain("3 segments of its stream");
  expect(readdirSync(dir)).toEqual([]);
});

/** One clear line on standard error, and nothing left in the folder. */
function expectRefused(
  { status, stderr }: ReturnType<typeof rekindle>,
  code: number,
  ...texts: readonly string[]
): void {
  expect(status, stderr).toBe(code);
  for (const text of texts) expect(stderr).toContain(text);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(readdirSync(dir).filter((name) => name !== "rekindle.lock")).toEqual([]);
}

const rdbPath = () => join(store, rdbOf(manifest.id, { file: "0.rdb" }));

test("a flipped byte is found, with slots and without", () => {
  const bytes = readFileSync(rdbPath());
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 0x10;
  writeFileSync(rdbPath(), bytes);
  expectRefused(restore(), 65, "0.rdb", "is damaged");
  expectRefused(restore("--slots", "0-9000"), 65, "0.rdb", "is damaged");
});

test("a file that is cut off, is no RDB, or is missing", () => {
  truncateSync(rdbPath(), 1_000);
  expectRefused(restore(), 65, "it has 1000 bytes instead of");
  expectRefused(restore("--slots", "0-9000"), 65, "it has 1000 bytes instead of");
  writeFileSync(rdbPath(), "no RDB at all".repeat(100));
  expectRefused(restore(), 65, "it does not begin as an RDB file does");
  expectRefused(restore("--slots", "0-9000"), 65, "it does not begin as an RDB file does");
  rmSync(rdbPath());
  expectRefused(restore(), 65, "there is no");
});

test("a damaged manifest, a newer server, an unknown id, a moment before the oldest, an empty store", () => {
  expectRefused(
    restore("--snapshot", "20200101T000000Z-abcd"),
    65,
    "the store has no snapshot 20200101T000000Z-abcd",
  );
  expectRefused(
    restore("--at", at(-60)),
    65,
    `the oldest snapshot, ${manifest.id}, is of ${at(0)}`,
  );
  expectRefused(restore("--at", "yesterday"), 64, "expected a time with its zone");
  writeManifest(store, { ...manifest, server: { name: "redis", version: "8.6.3" } });
  expectRefused(restore(), 65, "is of Redis 8.6.3, and Redis 7.0.15 cannot load it");
  writeManifest(store, { ...manifest, server: { name: "valkey", version: "9.1.0" } });
  expectRefused(restore(), 65, "is of Valkey 9.1.0");
  writeFileSync(join(store, manifestOf(manifest.id)), "{}");
  expectRefused(restore(), 65, "this is no manifest of a snapshot");
  rmSync(store, { recursive: true });
  expectRefused(restore(), 65, "holds no snapshot");
  expectRefused(rekindle("restore", "--from", "ftp://somewhere", "--dir", dir), 78, "ftp");
});

test("a folder that holds data is left as it is", () => {
  cpSync(rdbPath(), join(dir, "dump.rdb"));
  const { status, stderr } = restore();
  expect(status).toBe(65);
  expect(stderr).toContain(`the data folder holds data already: ${join(dir, "dump.rdb")}`);
  expect(readdirSync(dir).sort()).toEqual(["dump.rdb", "rekindle.lock"]);
});

test.skipIf(process.getuid?.() !== 0)(
  "a disk that is too small is told before, one that fills is cleaned up",
  () => {
    const disk = join(root, "small");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=20k", "none", disk]);
    try {
      dir = disk;
      expectRefused(restore(), 65, "there is no room in", "are free");
      // Enough for what is certain to be needed, and not for all: it fills in the middle.
      const pages = Math.ceil((readFileSync(rdbPath()).length * 0.9) / 4_096);
      execFileSync("mount", ["-o", `remount,size=${pages * 4}k`, disk]);
      expectRefused(restore("--at", at(0)), 65, "there is no room in");
    } finally {
      execFileSync("umount", [disk]);
    }
  },
);

test("rekindle backups lists, verifies, prunes and removes", () => {
  const from = ["--from", `file://${store}`];
  const older = takeFolder(store, [join(root, "source", "dump.rdb")], {
    id: "20261124T200000Z-aaaa",
    endedAt: at(-86_400),
    topology: "standalone",
  });
  const table = rekindle("backups", ...from);
  expect(table.status, table.stderr).toBe(0);
  expect(table.stdout).toMatch(/^id +age +topology +shards +size +server +stream until\n/);
  expect(table.stdout).toContain(older.id);
  const listed = JSON.parse(rekindle("backups", ...from, "--json").stdout) as {
    id: string;
    bytes: number;
  }[];
  expect(listed.map(({ id }) => id)).toEqual([older.id, manifest.id]);
  const good = rekindle("backups", ...from, "--verify");
  expect(good.status, good.stdout + good.stderr).toBe(0);
  expect(good.stdout).toContain(`${manifest.id}: good, 3,000 keys (0.rdb 3,000)`);
  truncateSync(rdbPath(), 1_000);
  const bad = rekindle("backups", ...from, "--verify");
  expect(bad.status).toBe(65);
  expect(bad.stdout).toContain(`${manifest.id}: NOT GOOD`);
  expect(bad.stdout).toContain(`${older.id}: good`);
  expect(rekindle("backups", ...from, "--prune").status).toBe(64);
  expect(rekindle("backups", ...from, "--prune", "--keep-last", "1").stdout).toContain(
    "1 snapshots are kept",
  );
  expect(existsSync(join(store, "snapshots", older.id))).toBe(false);
  expect(rekindle("backups", ...from, "--remove", manifest.id).stdout).toContain("removed");
  expect(rekindle("backups", ...from).stdout).toContain("holds no snapshot");
});
