/** What a server sends to its replicas is taken apart in the same way, in whatever pieces it comes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createCommandSplitter } from "../../src/redis/command-splitter.ts";
import { createFeedReader, type Sent } from "../../src/redis/replica-feed.ts";
import { encodeCommands } from "../../src/redis/resp.ts";

const mark = "0123456789abcdef0123456789abcdef01234567";
const commands = encodeCommands([
  ["SELECT", 3],
  ["SET", "a\r\n*1", Buffer.from([0, 13, 10, 255])],
]);

function readIn(pieces: readonly Buffer[]) {
  const reader = createFeedReader();
  const sent = pieces.flatMap((piece) => reader.push(piece));
  const bytesOf = (kind: "rdb" | "commands") =>
    Buffer.concat(sent.flatMap((one) => (one.kind === kind ? [Buffer.from(one.bytes)] : [])));
  const kinds = sent.map(({ kind }) => kind);
  return {
    lines: sent.flatMap((one) => (one.kind === "line" ? [one.line] : [])),
    rdb: bytesOf("rdb").toString("latin1"),
    commands: bytesOf("commands").toString("latin1"),
    order: kinds.filter((kind, index) => kind !== kinds[index - 1]),
  };
}

function cut(whole: Buffer, at: readonly number[]): readonly Buffer[] {
  const ends = [...new Set(at.map((one) => one % (whole.length + 1)))].sort((a, b) => a - b);
  return [...ends, whole.length].map((end, index) => whole.subarray(ends[index - 1] ?? 0, end));
}

const full = "+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 42\r\n";
const rdb = Buffer.concat([
  Buffer.from("REDIS0010\n\n$5\r\n"),
  Buffer.from(mark.slice(0, 39)),
  Buffer.from([255, 1, 2]),
]);
const framings = {
  sized: Buffer.concat([Buffer.from(`\n+OK\r\n\n\n${full}\n\n$${rdb.length}\r\n`), rdb, commands]),
  marked: Buffer.concat([
    Buffer.from(`\n+OK\r\n\n\n${full}\n$EOF:${mark}\r\n`),
    rdb,
    Buffer.from(mark),
    commands,
  ]),
};
const expected = {
  lines: ["+OK", full.trim()],
  rdb: rdb.toString("latin1"),
  commands: commands.toString("latin1"),
  order: ["line", "rdb", "rdb-end", "commands"],
};

test.each(Object.entries(framings))(
  "a full copy, %s, byte by byte and in pieces of any size",
  (_, whole) => {
    expect(readIn([...whole].map((byte) => Buffer.from([byte])))).toEqual(expected);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 1_000 })), (at) => {
        expect(readIn(cut(whole, at))).toEqual(expected);
      }),
    );
  },
);

test("a stream that goes on, and an answer that refuses", () => {
  const goesOn = Buffer.concat([
    Buffer.from("+CONTINUE 8de1787ba490483314a4d30f1c628bc5025eb761\r\n"),
    commands,
  ]);
  expect(readIn([goesOn])).toMatchObject({ rdb: "", commands: expected.commands });
  expect(readIn([Buffer.from("+CONTINUE\r\n"), commands])).toMatchObject({
    commands: expected.commands,
  });
  const refuses = readIn([Buffer.from("-NOMASTERLINK Can't SYNC while not connected\r\n")]);
  expect(refuses.lines).toEqual(["-NOMASTERLINK Can't SYNC while not connected"]);
});

test("what is no copy is said in words", () => {
  expect(() => readIn([Buffer.from(`${full}-ERR out of memory\r\n`)])).toThrow(
    /"-ERR out of memory" instead of a copy/,
  );
  expect(() => readIn([Buffer.alloc(5_000, "x")])).toThrow(/not the Redis protocol/);
});

test("little is held back: not the pieces themselves, and no copy's bytes but the mark's", () => {
  const reader = createFeedReader();
  reader.push(Buffer.from(`${full}$EOF:${mark}\r\n`));
  const sent: Sent[] = reader.push(Buffer.alloc(1_000, "x"));
  expect(sent).toMatchObject([{ kind: "rdb", bytes: { length: 961 } }]);
});

const anyCommand = fc.array(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  { minLength: 1, maxLength: 4 },
);

test("a stream in whole commands, however it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(anyCommand, { maxLength: 8 }),
      fc.array(fc.nat({ max: 500 })),
      (all, at) => {
        const splitter = createCommandSplitter(10_000);
        const found = cut(encodeCommands(all), at).flatMap((piece) =>
          splitter.push(piece).map((one) => ({ ...one, bytes: Buffer.from(one.bytes) })),
        );
        expect(found.map(({ bytes }) => bytes)).toEqual(all.map((one) => encodeCommands([one])));
        expect(found.map(({ name }) => name)).toEqual(
          all.map(([name]) => name?.toString("latin1").toLowerCase()),
        );
        expect(splitter.heldBytes).toBe(0);
      },
    ),
  );
});

test("a command that is too long, or none, is refused before it is in memory", () => {
  const splitter = createCommandSplitter(100);
  expect(() => splitter.push(Buffer.from("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n"))).toThrow(
    /longer than 100 bytes/,
  );
  expect(() => createCommandSplitter(100).push(Buffer.from("PING\r\n"))).toThrow(
    /not one of commands/,
  );
  expect(() => createCommandSplitter(100).push(Buffer.from("*1x\r\n"))).toThrow(
    /not one of commands/,
  );
});
