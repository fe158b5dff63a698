/** What a data folder must be before its server starts, as a pure decision. */
import { describe, expect, test } from "vitest";
import { parseAofManifest, renderAofManifest } from "../../src/redis/aof-manifest.ts";
import { endsWhole, readCommands } from "../../src/standalone/commands-in-file.ts";
import { decideStart, namesToLoad } from "../../src/standalone/plan.ts";
import { readRdbHeader } from "../../src/standalone/rdb-header.ts";
import type { DataFile, Observation, Plan } from "../../src/standalone/types.ts";

const file = (name: string, more: Partial<DataFile> = {}): DataFile => ({
  name,
  bytes: 100,
  writtenAtMs: 1_000,
  isSnapshot: name.endsWith(".rdb"),
  denied: undefined,
  header: undefined,
  condition: { kind: "sound" },
  ...more,
});
const files = {
  dir: "/data",
  appendonly: true,
  appenddirname: "appendonlydir",
  appendfilename: "appendonly.aof",
  dbfilename: "dump.rdb",
};
const empty: Observation = {
  files,
  hasParts: true,
  takesShort: true,
  snapshot: undefined,
  single: undefined,
  manifest: undefined,
  parts: [],
  partsDenied: undefined,
  freeBytes: 1e9,
  lastStart: undefined,
  memoryLimitBytes: undefined,
};
const [base, increment] = ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"];
const parts = [file(`appendonlydir/${base}`), file(`appendonlydir/${increment}`)];
const logged: Observation = { ...empty, manifest: { base, increments: [increment] }, parts };
const snapshot = file("dump.rdb");

const decide = (more: Partial<Observation>, from: Observation = empty): Plan =>
  decideStart({ ...from, ...more });
const kindsOf = (plan: Plan) => (plan.kind === "start" ? plan.steps.map(({ kind }) => kind) : plan);

describe("what the server would load", () => {
  test("nothing, all parts of the append-only file, or the snapshot where there is none to be", () => {
    expect(namesToLoad(empty)).toEqual([]);
    expect(namesToLoad(logged)).toEqual(parts.map(({ name }) => name));
    expect(namesToLoad({ ...empty, snapshot, files: { ...files, appendonly: false } })).toEqual([
      "dump.rdb",
    ]);
  });

  test("a snapshot that it would pass over is adopted, by a server of any version", () => {
    for (const hasParts of [true, false])
      expect(kindsOf(decide({ snapshot, hasParts }))).toEqual(["adopt-snapshot"]);
    expect(kindsOf(decide({ snapshot }, logged))).toEqual([]);
  });

  test("an append-only file in one piece is taken over by a newer server; parts are none for an older one", () => {
    expect(namesToLoad({ ...empty, single: file("appendonly.aof") })).toEqual(["appendonly.aof"]);
    expect(decide({ hasParts: false }, logged)).toMatchObject({
      kind: "refuse",
      hint: expect.stringContaining("Redis 7.0"),
    });
  });

  test("appendonly no beside an append-only file that is newer, or the only data, is refused; beside an older one it is not", () => {
    const off = { files: { ...files, appendonly: false } };
    expect(decide(off, logged).kind).toBe("refuse");
    expect(decide({ ...off, snapshot: file("dump.rdb", { writtenAtMs: 1 }) }, logged).kind).toBe(
      "refuse",
    );
    expect(decide({ ...off, snapshot: file("dump.rdb", { writtenAtMs: 1e6 }) }, logged).kind).toBe(
      "start",
    );
  });

  test("only what the last start did without, and nobody wrote to since, is set aside for a newer snapshot", () => {
    const newer = file("dump.rdb", { writtenAtMs: 3_000 });
    const last = (appendonly: boolean, atMs = 2_000) => ({
      snapshot: newer,
      lastStart: { atMs, appendonly },
    });
    expect(kindsOf(decide(last(false), logged))).toEqual(["set-aside", "adopt-snapshot"]);
    expect(kindsOf(decide(last(true), logged))).toEqual([]);
    expect(kindsOf(decide(last(false, 500), logged))).toEqual([]);
    expect(kindsOf(decide({ snapshot: newer }, logged))).toEqual([]);
  });
});

describe("what it would die of", () => {
  const withLast = (more: Partial<DataFile>): Partial<Observation> => ({
    parts: [parts[0] as DataFile, file(`appendonlydir/${increment}`, more)],
  });

  test("short in the last file is kept and started, in any other refused", () => {
    const short = { condition: { kind: "short", wholeBytes: 40 } } as const;
    expect(decide(withLast(short), logged)).toMatchObject({
      kind: "start",
      steps: [{ kind: "keep-tail", file: `appendonlydir/${increment}`, from: 40 }],
    });
    expect(decide({ ...withLast(short), takesShort: false }, logged).kind).toBe("refuse");
    const first = [file(`appendonlydir/${base}`, short), parts[1] as DataFile];
    expect(decide({ parts: first }, logged).kind).toBe("refuse");
  });

  test.each([
    [{ condition: { kind: "damaged", why: "bytes" } } as const, "is damaged: bytes"],
    [{ condition: { kind: "foreign" } } as const, "does not read"],
    [{ denied: "it belongs to user 0" }, "it belongs to user 0"],
  ])("%o is refused", (more, says) => {
    expect(decide(withLast(more), logged)).toMatchObject({
      kind: "refuse",
      reason: expect.stringContaining(says),
    });
  });

  test("a folder of parts that is closed is refused, where the server would use it", () => {
    const closed = { partsDenied: "appendonlydir: it belongs to user 0", manifest: undefined };
    expect(decide(closed)).toMatchObject({
      kind: "refuse",
      reason: expect.stringContaining("belongs to user 0"),
    });
    expect(decide({ ...closed, files: { ...files, appendonly: false }, snapshot }).kind).toBe(
      "start",
    );
  });

  test("a file that the server does not load hinders nothing", () => {
    const useless = file("dump.rdb", { denied: "no", condition: undefined });
    expect(decide({ snapshot: useless }, logged).kind).toBe("start");
  });

  test("no room to start is refused, room for no second copy is a warning, a copy of the snapshot needs its size", () => {
    expect(decide({ freeBytes: 1_000 }).kind).toBe("refuse");
    const large = [file(`appendonlydir/${base}`, { bytes: 5e8 }), parts[1] as DataFile];
    const plan = decide({ freeBytes: 1e8, parts: large }, logged);
    expect(plan).toMatchObject({ warnings: [expect.stringContaining("takes about 500 MB")] });
    const adopted = { snapshot: file("dump.rdb", { bytes: 5e8 }), freeBytes: 1e8 };
    expect(decide(adopted).kind).toBe("start");
    expect(decide({ ...adopted, hasParts: false }).kind).toBe("refuse");
  });

  test("data that took more memory than there is, is a warning", () => {
    const header = { format: "REDIS0010", writtenBy: undefined, memoryBytes: 2e9 };
    const plan = decide({ snapshot: file("dump.rdb", { header }), memoryLimitBytes: 1e9 });
    expect(plan).toMatchObject({ warnings: [expect.stringContaining("killed while it loads")] });
  });
});

describe("an append-only file's manifest", () => {
  test("as Redis writes it, with a history and quoted names", () => {
    const text = [
      `file "a b.2.base.rdb" seq 2 type b`,
      "file a.1.base.rdb seq 1 type h",
      "file a.2.incr.aof seq 2 type i startoffset 12",
      "file a.3.incr.aof seq 3 type i",
      "",
    ].join("\n");
    expect(parseAofManifest(text)).toEqual({
      base: "a b.2.base.rdb",
      increments: ["a.2.incr.aof", "a.3.incr.aof"],
    });
    expect(parseAofManifest(renderAofManifest('a "b".rdb'))).toMatchObject({ base: 'a "b".rdb' });
  });

  test.each([
    ["", "names no file"],
    ["file ", "not understood"],
    ["file ../x seq 1 type i", "not understood"],
    ["file a seq 1 type b\nfile b seq 2 type b", "second base"],
    ["file a seq 2 type i\nfile b seq 1 type i", "out of order"],
  ])("%j is refused", (text, says) => {
    expect(parseAofManifest(text)).toContain(says);
  });
});

describe("commands in a file", () => {
  const set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\n";
  const [multi, exec] = ["*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nexec\r\n"];
  const read = (text: string) => readCommands(Buffer.from(text));

  test("whole, with the time between them and transactions", () => {
    for (const text of ["", set, set + set, `#TS:1700000000\r\n${set}`, multi + set + exec])
      expect(read(text)).toBe("whole");
    expect(read(multi + set)).toBe("open");
  });

  test("cut at any byte they are short, never bad", () => {
    for (let length = 1; length < set.length; length++)
      expect(read(set + set.slice(0, length)), `${length}`).toBe("short");
  });

  test("anything else is bad", () => {
    for (const text of ["x", `${set}x`, "*x\r\n", "*1\r\nx", "*0\r\n", "*1\r\n$1\r\nab\r\n"])
      expect(read(text), text).toBe("bad");
  });

  test("an end is found from within, also where a value looks like a command", () => {
    const many = Array.from({ length: 9 }, () => set).join("");
    for (let from = 1; from < set.length; from++)
      expect(endsWhole(Buffer.from(many.slice(from)), false), `${from}`).toBe(true);
    const trap = "*2\r\n$3\r\nGET\r\n$9\r\n\r\n*5\r\n$3x\r\n";
    expect(endsWhole(Buffer.from(`yz\r\n${trap}${set}`), false)).toBe(true);
    expect(endsWhole(Buffer.from(many.slice(3, -1)), false)).toBe(false);
    expect(endsWhole(Buffer.alloc(0), true)).toBe(true);
  });
});

test("a snapshot's header tells its version, its author and its memory", () => {
  const field = (name: string, value: string) =>
    `\xfa${String.fromCharCode(name.length)}${name}${value}`;
  const text = (value: string) => `${String.fromCharCode(value.length)}${value}`;
  const head =
    field("redis-ver", text("7.4.1")) +
    field("redis-bits", "\xc0\x40") +
    field("used-mem", "\xc2\0\0\x10\0");
  expect(readRdbHeader(Buffer.from(`REDIS0012${head}\xfe`, "latin1"))).toEqual({
    format: "REDIS0012",
    writtenBy: "Redis 7.4.1",
    memoryBytes: 1_048_576,
  });
  const valkey = `VALKEY080${field("valkey-ver", text("9.1.0"))}`;
  expect(readRdbHeader(Buffer.from(valkey, "latin1"))?.writtenBy).toBe("Valkey 9.1.0");
  expect(readRdbHeader(Buffer.from("REDIS0012\xfa\x09red", "latin1"))?.writtenBy).toBeUndefined();
  expect(readRdbHeader(Buffer.from("*3\r\n$3\r\nSET"))).toBeUndefined();
});
