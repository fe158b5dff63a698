/** However a stream is cut into segments, each can be carried out by itself, and all together are the stream. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type CutSegment, createSegmentCutter } from "../../src/backup/segment-cutter.ts";
import { createCommandSplitter, type StreamedCommand } from "../../src/redis/command-splitter.ts";
import { encodeCommands } from "../../src/redis/resp.ts";

const commandOf = (...words: readonly (string | number)[]): StreamedCommand =>
  createCommandSplitter(10_000).push(encodeCommands([words]))[0] as StreamedCommand;
const ping = commandOf("PING");

/** What a server carries out that loads it: each write with its database, and the seconds that it is told. */
function carryOut({ content }: CutSegment) {
  const seconds = [...content.toString().matchAll(/^#TS:(\d+)\r$/gm)].map(([, one]) => Number(one));
  const commands = createCommandSplitter(10_000).push(
    Buffer.from(content.toString().replace(/^#TS:\d+\r\n/gm, "")),
  );
  return { seconds, writes: databasesOf(commands, 0), names: commands.map(({ name }) => name) };
}

function databasesOf(commands: readonly StreamedCommand[], first: number): readonly string[] {
  let database = first;
  return commands.flatMap(({ name, firstArgument, bytes }) => {
    if (name === "select") database = Number(firstArgument);
    return ["set"].includes(name) ? [`${database}: ${bytes}`] : [];
  });
}

const anyWrite = fc.nat({ max: 99 }).map((n) => commandOf("SET", `key-${n}`, "x".repeat(n)));
const anySelect = fc.nat({ max: 3 }).map((n) => commandOf("SELECT", n));
const anyTransaction = fc
  .array(fc.oneof(anyWrite, anySelect), { minLength: 1, maxLength: 3 })
  .map((inner) => [commandOf("MULTI"), ...inner, commandOf("EXEC")]);
const anyPart = fc.oneof(
  anyWrite.map((one) => [one]),
  anySelect.map((one) => [one]),
  fc.constant([ping]),
  fc.constant([commandOf("PUBLISH", "__sentinel__:hello", "x")]),
  fc.constant([commandOf("REPLCONF", "GETACK", "*")]),
  anyTransaction,
);
const anyStream = fc.array(anyPart, { maxLength: 20 });
const anyStart = { offset: fc.nat({ max: 1_000 }), database: fc.nat({ max: 2 }) };

test("segments follow each other without a gap, none ends within a transaction, and every write is in its database", () => {
  fc.assert(
    fc.property(
      anyStream,
      fc.record(anyStart),
      fc.array(fc.nat({ max: 40 })),
      fc.array(fc.nat({ max: 20 })),
      (parts, start, takes, cuts) => {
        const cutter = createSegmentCutter(start);
        const taken: CutSegment[] = [];
        const commands = parts.flat();
        let [offset, second] = [start.offset, 0];
        const wanted: number[] = [];
        parts.forEach((part, index) => {
          // As a snapshot that begins there, told before or after the stream has come so far.
          if (cuts.includes(index) && cutter.cutAt(offset)) wanted.push(offset);
          for (const command of part) {
            offset += command.bytes.length;
            second += index % 2;
            cutter.push(command, second);
            if (takes.includes(commands.indexOf(command))) taken.push(...cutter.take(second));
          }
        });
        taken.push(...cutter.take(second));
        expect(cutter.offset).toBe(offset);
        let next = start.offset;
        for (const segment of taken) {
          expect(segment.from).toBe(next);
          next = segment.to;
          const { names, seconds } = carryOut(segment);
          const balance =
            names.filter((name) => name === "multi").length -
            names.filter((name) => name === "exec").length;
          expect(balance).toBe(0);
          expect(seconds.length).toBeGreaterThan(0);
          expect([...new Set(seconds)].sort((a, b) => a - b)).toEqual(seconds);
          expect(names).not.toContain("ping");
        }
        for (const cut of wanted.filter((one) => one <= next))
          expect([start.offset, ...taken.map(({ to }) => to)]).toContain(cut);
        expect(taken.flatMap((one) => carryOut(one).writes)).toEqual(
          databasesOf(commands, start.database),
        );
      },
    ),
  );
});

test("nothing is stored where nothing was written, and nothing before it is known in which database", () => {
  const cutter = createSegmentCutter({ offset: 10, database: undefined });
  cutter.push(ping, 1);
  expect(cutter.take(1)).toEqual([]);
  cutter.push(commandOf("SET", "a", 1), 1);
  expect(cutter.take(1)).toEqual([]);
  cutter.isIn(3);
  cutter.isIn(5);
  const [segment] = cutter.take(2);
  expect(segment?.from).toBe(10);
  expect(segment?.content.toString()).toMatch(/^#TS:1\r\n\*2\r\n\$6\r\nSELECT\r\n\$1\r\n3\r\n\*3/);
  expect(cutter.heldBytes).toBe(0);
  const unknown = createSegmentCutter({ offset: 10, database: undefined });
  unknown.push(commandOf("SELECT", 2), 1);
  expect(unknown.take(1)).toHaveLength(1);
});

test("a snapshot is a place between two segments, also where nothing was written before it; not in one that is stored", () => {
  const cutter = createSegmentCutter({ offset: 0, database: 0 });
  cutter.push(ping, 1);
  const [size] = [ping.bytes.length];
  expect(cutter.cutAt(size)).toBe(true);
  expect(cutter.take(7)).toEqual([{ from: 0, to: size, content: Buffer.from("#TS:7\r\n") }]);
  cutter.push(commandOf("SET", "a", 1), 8);
  cutter.take(8);
  expect(cutter.cutAt(size + 1)).toBe(false);
  expect(cutter.cutAt(cutter.offset)).toBe(true);
});

test("a transaction whose end was lost with its connection is asked for anew", () => {
  const cutter = createSegmentCutter({ offset: 0, database: 0 });
  const write = commandOf("SET", "a", 1);
  cutter.push(write, 1);
  for (const one of [commandOf("MULTI"), commandOf("SET", "b", 1)]) cutter.push(one, 1);
  cutter.rewind();
  expect(cutter.offset).toBe(write.bytes.length);
  cutter.push(commandOf("SET", "c", 1), 2);
  expect(cutter.take(2).map(({ content }) => content.toString())).toEqual([
    expect.not.stringMatching(/MULTI|b/),
  ]);
  expect(cutter.heldBytes).toBe(0);
});
