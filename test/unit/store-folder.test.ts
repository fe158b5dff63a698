import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../../src/stores/open-store.ts";
import { bytesOf, namesIn, testStore } from "../containers/store-contract.ts";
import { until } from "../redis/until.ts";

const isRoot = process.getuid?.() === 0;

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const open = (folder: string) => openStore(pathToFileURL(folder).href);

const everything = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

describe("what every store holds to", () => {
  const root = mkdtempSync(join(tmpdir(), "rekindle-store-"));
  afterAll(() => rmSync(root, { recursive: true }));
  testStore((place) => open(join(root, place)));
});

test("files and folders are this user's alone, and no empty folder stays", async () => {
  const folder = join(makeFolder(), "not", "there");
  const store = await open(folder);
  expect(await namesIn(store)).toEqual([]);
  await store.write("snapshots/a/0.rdb", bytesOf(10));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, "snapshots/a")).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, "snapshots/a/0.rdb")).mode & 0o777).toBe(0o600);
  await store.remove(["snapshots/a/0.rdb"]);
  expect(everything(folder)).toEqual([]);
});

test("what others keep there is neither listed nor touched", async () => {
  const folder = makeFolder();
  mkdirSync(join(folder, "lost+found"));
  mkdirSync(join(folder, ".hidden"));
  for (const name of [".hidden/file", "with space", ".rekindle-other.part"])
    writeFileSync(join(folder, name), "");
  symlinkSync("/etc/passwd", join(folder, "link"));
  const before = everything(folder);
  const store = await open(folder);
  expect(await namesIn(store)).toEqual([]);
  expect(await store.removeLeftovers(new Date(Date.now() + 60_000))).toBe(0);
  expect(everything(folder)).toEqual(before);
});

test("killed in mid-write it leaves nothing that is listed, and what is taken away later", async () => {
  const folder = makeFolder();
  const script = new URL("../containers/write-endlessly.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, pathToFileURL(folder).href], { stdio: "inherit" });
  await until(
    "a file under way",
    () => everything(folder).filter((name) => name.endsWith(".part")),
    (parts) => parts.length === 1,
  );
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  const store = await open(folder);
  expect(await namesIn(store)).toEqual([]);
  expect(await store.removeLeftovers(new Date(Date.now() - 60_000))).toBe(0);
  expect(await store.removeLeftovers(new Date(Date.now() + 60_000))).toBe(1);
  expect(everything(folder)).toEqual([]);
});

test.skipIf(!isRoot)(
  "a full disk is said in one line, and leaves no part of the file",
  async () => {
    const folder = makeFolder();
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]);
    if (mounted.status !== 0) return; // Not allowed here.
    onTestFinished(() => void spawnSync("umount", [folder]));
    const store = await open(folder);
    await store.write("small", bytesOf(10));
    await expect(store.write("large", bytesOf(8 * 1024 * 1024))).rejects.toMatchObject({
      reason: "configuration",
      message: `${store.url}: the disk is full`,
      hint: expect.stringContaining("make room"),
    });
    expect(everything(folder)).toEqual(["small"]);
    spawnSync("mount", ["-o", "remount,ro", folder]);
    await expect(store.write("other", bytesOf(1))).rejects.toThrow("is mounted read-only");
  },
);

test("a path that is no folder is said in one line", async () => {
  const folder = makeFolder();
  writeFileSync(join(folder, "file"), "");
  const store = await open(join(folder, "file", "below"));
  const works = [
    () => store.write("a", bytesOf(1)),
    () => namesIn(store),
    () => store.remove(["a"]),
  ];
  for (const work of works)
    await expect(work()).rejects.toMatchObject({
      reason: "configuration",
      message: `${store.url}: a part of its path is no folder`,
    });
});

test.skipIf(isRoot)("a folder that this user may not write is said in one line", async () => {
  const folder = makeFolder();
  chmodSync(folder, 0o500);
  const store = await open(folder);
  await expect(store.write("a/b", bytesOf(1))).rejects.toThrow("this user may not use the folder");
});
