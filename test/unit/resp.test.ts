import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReplyReader, encodeCommands, ReplyError } from "../../src/redis/resp.ts";

const replies =
  "+OK\r\n-ERR wrong\r\n:42\r\n$5\r\nhe\r\no\r\n$-1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n*-1\r\n";
const expected = ["OK", new ReplyError("ERR wrong"), 42, "he\r\no", null, ["a", [1]], null];

describe("replies", () => {
  test("come out the same, wherever the bytes are split", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: replies.length }), { maxLength: 8 }), (cuts) => {
        const reader = createReplyReader();
        const places = [0, ...cuts.sort((a, b) => a - b), replies.length];
        const parts = places
          .slice(1)
          .map((end, index) => Buffer.from(replies.slice(places[index], end)));
        expect(parts.flatMap((part) => reader.push(part))).toEqual(expected);
      }),
    );
  });
  test("of another protocol are refused", () => {
    expect(() => createReplyReader().push(Buffer.from("HTTP/1.1 400 Bad Request\r\n"))).toThrow(
      "not the Redis protocol",
    );
  });
  test("that are errors say which kind", () => {
    expect(new ReplyError("LOADING Redis is loading").kind).toBe("LOADING");
  });
});

test("commands carry any bytes", () => {
  const command = encodeCommands([["AUTH", Buffer.from([0xff, 0x0d, 0x0a])], ["PING"]]);
  expect(command.toString("latin1")).toBe(
    "*2\r\n$4\r\nAUTH\r\n$3\r\n\xff\r\n\r\n*1\r\n$4\r\nPING\r\n",
  );
});
