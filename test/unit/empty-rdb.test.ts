/** A snapshot without a key; what real servers write is tested in containers. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isEmptyRdb } from "../../src/redis/empty-rdb.ts";

/** Redis 7.0's, of a server that never had a key. */
const empty = Buffer.concat([
  Buffer.from("REDIS0010"),
  Buffer.from("\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40", "latin1"),
  Buffer.from("\xfa\x05ctime\xc2_\x0e\x07k\xfa\x08aof-base\xc0\x01", "latin1"),
  Buffer.from("\xff\x28\x9c\x11\xd6\x7b\x33\x2d\x27", "latin1"),
]);

test("one of a server that never had a key is empty", () => {
  expect(isEmptyRdb(empty)).toBe(true);
});

test("one with anything else in it, or that was cut off, is not: whatever is not certain counts as data", () => {
  const ending = empty.subarray(-9);
  const before = empty.subarray(0, -9);
  const other = fc.uint8Array({ minLength: 1, maxLength: 40 }).filter(([first]) => first !== 0xfa);
  fc.assert(
    fc.property(other, (more) => {
      expect(isEmptyRdb(Buffer.concat([before, more, ending]))).toBe(false);
      expect(isEmptyRdb(Buffer.concat([empty, more]))).toBe(false);
    }),
  );
  for (let length = 0; length < empty.length; length++)
    expect(isEmptyRdb(empty.subarray(0, length))).toBe(false);
  expect(isEmptyRdb(Buffer.from("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"))).toBe(false);
});
