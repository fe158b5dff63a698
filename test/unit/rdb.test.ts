/** RDB files and append-only files made by hand: what no server of today writes, and pieces of any size. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { layoutOf, type Step } from "../../src/rdb/format.ts";
import { type Followed, selectCommands } from "../../src/rdb/select-commands.ts";
import { selectSlots } from "../../src/rdb/select-slots.ts";
import { parseSlotRange, slotOf, slotSet } from "../../src/rdb/slots.ts";
import { canLoad } from "../../src/rdb/versions.ts";
import type { ServerVersion } from "../../src/redis/server.ts";

const bytes = (...parts: readonly (number | string | Buffer)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === "number" ? Buffer.from([part]) : Buffer.from(part))),
  );
const string = (text: string): Buffer => bytes(text.length, text);
const header = "REDIS0012";
const end = bytes(0xff, Buffer.alloc(8));
const aux = (name: string, value: string): Buffer => bytes(0xfa, string(name), string(value));
const select = (database: number): Buffer => bytes(0xfe, 0x80, 0, 0, 0, database);

/** The smallest value of a layout with two of everything that is counted. */
function fill(layout: readonly Step[]): Buffer {
  return Buffer.concat(
    layout.map((step) => {
      if (typeof step === "object") return bytes(2, fill(step), fill(step));
      if (step > 0) return Buffer.alloc(step, 0xfe);
      // A length, a string, a number as text, and a module's string, double and end.
      return [
        bytes(0x41, 0xff),
        string("ab"),
        bytes(2, "17"),
        bytes(5, string("m"), 4, Buffer.alloc(8), 0),
      ][-step - 1] as Buffer;
    }),
  );
}

const types = Array.from({ length: 28 }, (_, type) => type);
const record = (type: number, key: string): Buffer =>
  bytes(0xfc, Buffer.alloc(8), 0xf9, 7, type, string(key), fill(layoutOf(type, false) ?? []));
const known = types.filter((type) => layoutOf(type, false) !== undefined);

async function run(
  file: Buffer,
  cuts: readonly number[] = [],
  slots?: Uint8Array,
): Promise<Buffer> {
  async function* content() {
    let from = 0;
    for (const cut of [...cuts, file.length]) {
      yield file.subarray(from, cut);
      from = cut;
    }
  }
  const parts = [];
  for await (const part of selectSlots([{ name: "it", content: content(), slots }]))
    parts.push(part);
  return Buffer.concat(parts);
}

test("every type's records are passed over, or kept byte for byte, in pieces of any size", async () => {
  const all = known.map((type) => record(type, `key:${type}`));
  const file = bytes(
    header,
    aux("redis-ver", "7.4.0"),
    select(0),
    bytes(0xfb, 9, 0),
    ...all,
    bytes(0xf4, 1, 2, 3),
    end,
  );
  const kept = bytes(header, aux("redis-ver", "7.4.0"), select(0));
  expect(known).toHaveLength(26);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(file.length), { maxLength: 30 }),
      fc.array(fc.constantFrom(...known), { minLength: 1 }),
      async (cuts, wanted) => {
        const some = known.filter((type) => wanted.includes(type));
        const slots = slotSet(
          some.map((type) => [
            slotOf(Buffer.from(`key:${type}`)),
            slotOf(Buffer.from(`key:${type}`)),
          ]),
        );
        const result = await run(
          file,
          cuts.toSorted((a, b) => a - b),
          slots,
        );
        const expected = bytes(kept, ...some.map((type) => record(type, `key:${type}`)), end);
        expect(result.equals(expected)).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});

test("what tells of another stream is left out, and functions come once", async () => {
  const library = bytes(0xf5, string("#!lua"));
  const file = bytes(
    header,
    aux("repl-id", "abc"),
    aux("ctime", "1"),
    library,
    select(0),
    record(0, "a"),
    end,
  );
  expect(
    (await run(file)).equals(
      bytes(header, aux("ctime", "1"), library, select(0), record(0, "a"), end),
    ),
  ).toBe(true);
  const sources = ["a", "b"].map((name) => ({
    name,
    content: (async function* () {
      yield bytes(header, library, select(name === "a" ? 0 : 3), record(0, name), end);
    })(),
    slots: undefined,
  }));
  const parts = [];
  for await (const part of selectSlots(sources)) parts.push(part);
  expect(
    Buffer.concat(parts).equals(
      bytes(header, library, select(0), record(0, "a"), select(3), record(0, "b"), end),
    ),
  ).toBe(true);
});

test("whatever is damaged, it is one line, and never a defect", async () => {
  const compressed = bytes(0, 0xc3, 4, 9, 0, "a", 0xc0, 0, string("value"));
  const file = bytes(
    header,
    select(0),
    ...known.map((type) => record(type, `key:${type}`)),
    compressed,
    end,
  );
  const slots = slotSet([[0, 8_000]]);
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.nat(255), async (at, value) => {
      const damaged = Buffer.from(file);
      damaged[at] = value;
      const thrown = await run(damaged, [at], slots).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (thrown !== undefined)
        expect(thrown).toMatchObject({ name: "RekindleError", reason: "refused" });
    }),
    { numRuns: 3_000 },
  );
});

test("what cannot be read is one line with the byte where it is", async () => {
  const refused = (...parts: readonly (number | string | Buffer)[]) =>
    expect(run(bytes(...parts))).rejects;
  await refused(header, select(0), 30).toThrow(
    "it is damaged at byte 15: nothing that is known has type 30",
  );
  await refused(header, 6, string("module")).toThrow(
    "a module's value in the format of Redis 4.0's candidates",
  );
  await refused(header, 0, string("key"), 0xc7).toThrow(
    "it is damaged at byte 14: no string begins with 199",
  );
  await refused("RUBBISH00").toThrow(
    "it is damaged at byte 0: it does not begin as an RDB file does",
  );
  await refused(header, end, "more").toThrow("something follows its end");
});

test("a cluster has one database: keys of another are refused, in files and in streams", async () => {
  const slots = slotSet([[0, 16_383]]);
  const content = (async function* () {
    yield bytes(header, select(0), record(0, "a"), select(3), record(0, "b"), end);
  })();
  const selecting = selectSlots([{ name: "it", content, slots, isForCluster: true }]);
  await expect(selecting.next()).rejects.toThrow("it has keys in database 3");
  const text = logged("SELECT", "0") + logged("SELECT", "3");
  await expect(follow(text, { slots, isForCluster: true })).rejects.toThrow(
    "it has keys in database 3",
  );
});

test("the slot is that of the tag, where there is one", () => {
  const slot = (key: string) => slotOf(Buffer.from(key));
  // From the cluster specification and `CLUSTER KEYSLOT`.
  expect(slot("123456789")).toBe(0x31c3 % 16_384);
  expect(slot("{user1000}.following")).toBe(slot("user1000"));
  expect(slot("foo{}{bar}")).toBe(8_363);
  expect(slot("foo{{bar}}zap")).toBe(slot("{bar"));
  expect(slot("foo{bar}{zap}")).toBe(slot("bar"));
  expect(parseSlotRange("7-9")).toEqual([7, 9]);
  for (const bad of ["9-7", "16384", "a", ""])
    expect(() => parseSlotRange(bad)).toThrow("no range");
});

test("a server loads what it wrote itself, what is older, and what is no stranger", () => {
  const server = (name: ServerVersion["name"], version: string) => ({ name, version });
  const redis = (version: number) => ({ name: "redis", version }) as const;
  const valkey = { name: "valkey", version: 80 } as const;
  expect(canLoad(server("redis", "7.0.15"), redis(10))).toBe(true);
  expect(canLoad(server("redis", "7.0.15"), redis(11))).toBe(false);
  expect(canLoad(server("redis", "8.6.3"), redis(13))).toBe(true);
  expect(canLoad(server("redis", "8.6.3"), valkey)).toBe(false);
  expect(canLoad(server("valkey", "8.1.1"), redis(11))).toBe(true);
  expect(canLoad(server("valkey", "8.1.1"), valkey)).toBe(false);
  expect(canLoad(server("valkey", "9.1.0"), valkey)).toBe(true);
  expect(canLoad(server("valkey", "9.1.0"), redis(12))).toBe(false);
  // One that is newer than this table: it says itself what it cannot load.
  expect(canLoad(server("redis", "9.0.0"), redis(20))).toBe(true);
});

const logged = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

async function follow(
  text: string,
  more: {
    isForCluster?: boolean;
    slots?: Uint8Array;
    untilSeconds?: number;
    isPlain?: boolean;
    isOneOfMany?: boolean;
    cuts?: readonly number[];
  } = {},
) {
  async function* content() {
    let from = 0;
    for (const cut of [...(more.cuts ?? []), text.length]) {
      yield Buffer.from(text.slice(from, cut));
      from = cut;
    }
  }
  const followed: Followed = { commands: 0, seconds: undefined, isCut: false };
  let kept = "";
  const source = {
    name: "it",
    content: content(),
    slots: more.slots,
    untilSeconds: more.untilSeconds,
    isPlain: more.isPlain === true,
    isOneOfMany: more.isOneOfMany === true,
    isForCluster: more.isForCluster === true,
  };
  for await (const one of selectCommands(source, followed))
    kept = one === "begin anew" ? "" : kept + one;
  return { kept, ...followed };
}

const [a, b] = [logged("SET", "a", "1"), logged("SET", "b", "2")];
const ofA = slotSet([[slotOf(Buffer.from("a")), slotOf(Buffer.from("a"))]]);

test("commands of other slots are left out, with the transactions that held nothing else", async () => {
  const [multi, exec, selected] = [logged("MULTI"), logged("EXEC"), logged("SELECT", "0")];
  const text = [
    selected,
    a,
    b,
    multi,
    b,
    exec,
    multi,
    a,
    b,
    exec,
    logged("PING"),
    logged("XGROUP", "CREATE", "a", "g", "0"),
  ].join("");
  const { kept, commands } = await follow(text, { slots: ofA });
  expect(kept).toBe(
    [selected, a, multi, a, exec, logged("XGROUP", "CREATE", "a", "g", "0")].join(""),
  );
  expect(commands).toBe(4);
  const cuts = fc.array(fc.nat(text.length), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(cuts, async (at) => {
      expect((await follow(text, { slots: ofA, cuts: at.toSorted((x, y) => x - y) })).kept).toBe(
        kept,
      );
    }),
  );
});

test("it ends after the second that is asked for, and before a transaction that does not end", async () => {
  const text = `#TS:10\r\n${a}#TS:11\r\n${b}#TS:12\r\n${a}${logged("MULTI")}${b}`;
  expect(await follow(text)).toEqual({
    kept: `#TS:10\r\n${a}#TS:11\r\n${b}#TS:12\r\n${a}`,
    commands: 4,
    seconds: 12,
    isCut: false,
  });
  expect(await follow(text, { untilSeconds: 11, isPlain: true })).toEqual({
    kept: a + b,
    commands: 2,
    seconds: 11,
    isCut: true,
  });
  expect((await follow(text.slice(0, -7))).kept).toBe((await follow(text)).kept);
  await expect(follow(`${a}rubbish`)).rejects.toThrow(`it is damaged at byte ${a.length}`);
});

test("one shard that was emptied empties no other", async () => {
  const text = `${a}${logged("FLUSHALL")}${b}`;
  expect((await follow(text)).kept).toBe(text);
  expect((await follow(text, { isOneOfMany: true })).kept).toBe(b);
  const within = `${a}${logged("MULTI")}${a}${logged("FLUSHALL")}${b}${logged("EXEC")}`;
  expect((await follow(within, { isOneOfMany: true })).kept).toBe(
    logged("MULTI") + b + logged("EXEC"),
  );
});
