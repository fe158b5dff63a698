/** A copy that is not whole, or not what the server wrote, is no snapshot. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createRdbCheck } from "../../src/snapshots/check-rdb.ts";
import { createCrc64 } from "../../src/snapshots/crc64.ts";

/** Redis 7.0's, of a beta whose alpha was written to in database 3. */
const rdb = Buffer.from(
  "UkVESVMwMDEw+glyZWRpcy12ZXIGNy4wLjE1+gpyZWRpcy1iaXRzwED6BWN0aW1lwtlGB2v6CHVzZWQtbWVtwpi8EQD6DnJlcGwtc3RyZWFtLWRiwAP6B3JlcGwtaWQoMjVkOWY5MjNkYzUxOTZhN2U4Y2Y0Y2Q0YTZlYTVmYjgxODc4NzFlYfoLcmVwbC1vZmZzZXTAZPoIYW9mLWJhc2XAAP4D+wEAAAFhAWL/w4EHn9KzthQ=",
  "base64",
);

function check(pieces: readonly Buffer[]) {
  const one = createRdbCheck();
  for (const piece of pieces) one.update(piece);
  return one.end();
}

test("the checksum is Redis' own, in whatever pieces the bytes come", () => {
  const crc = createCrc64();
  crc.update(Buffer.from("123456789"));
  // The test value of crc64.c.
  expect(crc.digest().readBigUInt64LE()).toBe(0xe9c6d914c4b8d9can);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 100 }), (bytes, at) => {
      const [whole, parts] = [createCrc64(), createCrc64()];
      whole.update(bytes);
      parts.update(bytes.subarray(0, at));
      parts.update(bytes.subarray(at));
      expect(parts.digest()).toEqual(whole.digest());
    }),
  );
});

test("a whole RDB is told by its size and checksum, and in which database the stream goes on", () => {
  const expected = {
    bytes: 182,
    sha256: createHash("sha256").update(rdb).digest("hex"),
    streamDb: 3,
  };
  expect(check([rdb])).toEqual(expected);
  expect(check([...rdb].map((byte) => Buffer.from([byte])))).toEqual(expected);
  fc.assert(
    fc.property(fc.nat({ max: rdb.length }), fc.nat({ max: rdb.length }), (a, b) => {
      const [first, second] = a < b ? [a, b] : [b, a];
      expect(
        check([rdb.subarray(0, first), rdb.subarray(first, second), rdb.subarray(second)]),
      ).toEqual(expected);
    }),
  );
});

test("one that is cut off, or in which a bit is another, is none", () => {
  for (let length = 0; length < rdb.length; length++)
    expect(() => check([rdb.subarray(0, length)])).toThrow(
      /it does not begin|its end is missing|its checksum/,
    );
  for (let at = 0; at < rdb.length; at++) {
    const damaged = Buffer.from(rdb);
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    expect(() => check([damaged])).toThrow(/it does not begin|its end is missing|its checksum/);
  }
  const unsigned = Buffer.concat([rdb.subarray(0, -8), Buffer.alloc(8)]);
  expect(check([unsigned]).streamDb).toBe(3);
});
