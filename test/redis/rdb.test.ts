/** RDB files of a real server: read to their end, and split by slots without a byte of a value changed. */
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { selectSlots } from "../../src/rdb/select-slots.ts";
import { slotCount, slotOf, slotSet } from "../../src/rdb/slots.ts";
import type { Reply } from "../../src/redis/resp.ts";
import { startThrowAwayServer, type ThrowAwayServer } from "../../src/redis/throw-away-server.ts";
import { everyType, newerTypes } from "./every-type.ts";

let dir = "";
let before: ReadonlyMap<string, Reply> = new Map();
const server = process.env.REKINDLE_TEST_SERVER ?? "/usr/bin/redis-server";

/** What each key's value is, in the server's own words. */
async function digest(running: ThrowAwayServer): Promise<ReadonlyMap<string, Reply>> {
  const [keys] = await running.ask(["KEYS", "*"]);
  const names = (keys as readonly string[]).toSorted();
  const digests = names.map((name) => ["DEBUG", "DIGEST-VALUE", name] as const);
  const replies = await running.ask(...digests);
  return new Map(names.map((name, index) => [name, replies[index] ?? null]));
}

const debug = { "enable-debug-command": "yes" };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "rekindle-rdb-"));
  await using running = await startThrowAwayServer(server, dir, debug);
  await running.ask(...everyType, ...newerTypes, ["SELECT", "3"], ["SET", "elsewhere", "3"]);
  await running.ask(["SELECT", "0"], ["SAVE"]);
  before = await digest(running);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("both halves of a file load, and hold every key of every type as it was", async () => {
  const half = slotCount / 2;
  const halves = [slotSet([[0, half - 1]]), slotSet([[half, slotCount - 1]])];
  const found = new Map<string, Reply>();
  for (const [index, slots] of halves.entries()) {
    const content = createReadStream(join(dir, "dump.rdb"), { highWaterMark: 1_000 });
    const parts = [];
    for await (const part of selectSlots([{ name: "dump", content, slots }])) parts.push(part);
    writeFileSync(join(dir, `half-${index}.rdb`), Buffer.concat(parts));
    await using running = await startThrowAwayServer(server, dir, {
      ...debug,
      dbfilename: `half-${index}.rdb`,
    });
    for (const [name, value] of await digest(running)) {
      expect(slots[slotOf(Buffer.from(name))], name).toBe(1);
      found.set(name, value);
    }
    const [functions] = await running.ask(["FUNCTION", "LIST"]);
    expect(functions).toHaveLength(1);
  }
  expect(before.size).toBeGreaterThan(20);
  expect(found).toEqual(before);
});

test("two halves are one file again", async () => {
  const sources = [0, 1].map((index) => ({
    name: `half-${index}`,
    content: createReadStream(join(dir, `half-${index}.rdb`)),
    slots: undefined,
  }));
  const parts = [];
  for await (const part of selectSlots(sources)) parts.push(part);
  writeFileSync(join(dir, "joined.rdb"), Buffer.concat(parts));
  await using running = await startThrowAwayServer(server, dir, {
    ...debug,
    dbfilename: "joined.rdb",
  });
  expect(await digest(running)).toEqual(before);
  const [, elsewhere] = await running.ask(["SELECT", "3"], ["GET", "elsewhere"]);
  expect(elsewhere).toBe("3");
});

test("whatever the pieces are in which it comes, and wherever it is cut off", async () => {
  const whole = readFileSync(join(dir, "dump.rdb"));
  async function select(pieces: readonly Buffer[]): Promise<Buffer> {
    async function* content() {
      yield* pieces;
    }
    const parts = [];
    for await (const part of selectSlots([
      { name: "it", content: content(), slots: slotSet([[0, 8000]]) },
    ]))
      parts.push(part);
    return Buffer.concat(parts);
  }
  const expected = await select([whole]);
  for (const size of [1, 7, 63, 4_096, 65_536]) {
    const pieces = [];
    for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
    if (pieces.length > 100_000) continue;
    expect((await select(pieces)).equals(expected), `${size}`).toBe(true);
  }
  for (const end of [0, 5, 9, 100, whole.length >> 1, whole.length - 9, whole.length - 1])
    await expect(select([whole.subarray(0, end)])).rejects.toThrow(
      /^it is cut off after \d+ bytes$/,
    );
  await expect(select([whole, whole])).rejects.toThrow("it is damaged at byte");
});
