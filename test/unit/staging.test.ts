/** A restore that is killed anywhere: the next boot finds all of it, or nothing. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog } from "../../src/log.ts";
import { commitStaging, openStaging, settleRestore } from "../../src/restore/staging.ts";

const log = createLog("error", "text", 2);
let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "rekindle-staging-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("before it counts, nothing of it is left", () => {
  const folder = openStaging(dir);
  writeFileSync(join(folder, "dump.rdb"), "half");
  settleRestore(dir, log);
  expect(readdirSync(dir)).toEqual([]);
});

test("from then on all of it is there, whatever was moved already", () => {
  for (const moved of [[], ["appendonlydir"], ["appendonlydir", "nodes.conf"]]) {
    const folder = openStaging(dir);
    mkdirSync(join(folder, "appendonlydir"));
    writeFileSync(join(folder, "appendonlydir", "base.rdb"), "data");
    writeFileSync(join(folder, "nodes.conf"), "table");
    renameSync(folder, join(dir, "rekindle-restored"));
    for (const name of moved) renameSync(join(dir, "rekindle-restored", name), join(dir, name));
    settleRestore(dir, log);
    expect(readdirSync(dir).sort()).toEqual(["appendonlydir", "nodes.conf"]);
    expect(readFileSync(join(dir, "appendonlydir", "base.rdb"), "utf8")).toBe("data");
    for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
  }
});

test("what lay there without a key is set aside, never removed", () => {
  writeFileSync(join(dir, "dump.rdb"), "old");
  writeFileSync(join(openStaging(dir), "dump.rdb"), "new");
  commitStaging(dir, { "nodes.conf": "table" });
  expect(readFileSync(join(dir, "dump.rdb"), "utf8")).toBe("new");
  expect(readFileSync(join(dir, "nodes.conf"), "utf8")).toBe("table");
  const [aside = ""] = readdirSync(dir).filter((name) => name.includes("set-aside"));
  expect(readFileSync(join(dir, aside), "utf8")).toBe("old");
  expect(existsSync(join(dir, "rekindle-restored"))).toBe(false);
});
