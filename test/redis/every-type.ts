/**
 * A key of every type and encoding that a server of that age has, for what has to read all of them.
 */
import type { Command } from "../../src/redis/resp.ts";

const many = Array.from({ length: 600 }, (_, index) => `${index}`);
const large = "large ".repeat(40);
const noise = Array.from({ length: 300 }, (_, index) =>
  String.fromCharCode(33 + ((index * 7919 + (index >> 3)) % 90)),
).join("");

/** Names in pairs of a tag each, so that they lie in many slots; some are numbers, some compress. */
export const everyType: readonly Command[] = [
  ["SET", "plain", "text"],
  ["SET", "12", "34"],
  ["SET", "-1234", "56789"],
  ["SET", "1234567890", "98765432109876"],
  ["SET", `long ${"name ".repeat(30)}`, large.repeat(500)],
  ["SET", "{tag}expires", noise, "EX", "100000"],
  ["SET", "empty", ""],
  ["SETRANGE", "sparse", "100000", "end"],
  ["PFADD", "counted", ...many],
  ["RPUSH", "list:small", "a", "1", "-70000", large],
  ["RPUSH", "list:large", ...many, ...many.map((one) => one + large)],
  ["RPUSH", "list:plain", "x".repeat(20_000), "y"],
  ["SADD", "set:numbers", "1", "2", "70000"],
  ["SADD", "set:words", "a", "b", large],
  ["SADD", "set:large", ...many.map((one) => one + noise)],
  ["HSET", "hash:small", "field", "value", "number", "17"],
  ["HSET", "hash:large", ...many.flatMap((one) => [one, one + large])],
  ["ZADD", "sorted:small", "1", "one", "-2.5", "two", "inf", "three"],
  ["ZADD", "sorted:large", ...many.flatMap((one) => [`${Number(one) / 3}`, one + noise])],
  ["GEOADD", "places", "13.36", "38.11", "Palermo"],
  ...many
    .slice(0, 250)
    .map((one) => ["XADD", "stream", `${Number(one) + 1}-1`, "field", one + large]),
  ["XDEL", "stream", "17-1"],
  ["XGROUP", "CREATE", "stream", "group", "0"],
  ["XGROUP", "CREATE", "stream", "idle", "100-1"],
  ["XREADGROUP", "GROUP", "group", "someone", "COUNT", "30", "STREAMS", "stream", ">"],
  ["XREADGROUP", "GROUP", "group", "other", "COUNT", "3", "STREAMS", "stream", ">"],
  ["XACK", "stream", "group", "3-1", "4-1"],
  ["XADD", "stream:empty", "5-5", "a", "b"],
  ["XTRIM", "stream:empty", "MAXLEN", "0"],
];

/** What only some versions know; an error reply is no harm. */
export const newerTypes: readonly Command[] = [
  [
    "FUNCTION",
    "LOAD",
    "#!lua name=mine\nredis.register_function('answer', function() return 42 end)",
  ],
  ["HSET", "fields:small", "a", "1", "b", "2"],
  ["HPEXPIREAT", "fields:small", "4102444800000", "FIELDS", "1", "a"],
  ["HSET", "fields:large", ...many.flatMap((one) => [one, one + large])],
  ["HPEXPIREAT", "fields:large", "4102444800000", "FIELDS", "2", "1", "2"],
  ["XADD", "stream:once", "IDMP", "producer", "id-1", "*", "field", "value"],
  ["XADD", "stream:once", "IDMP", "producer", "id-2", "*", "field", "value"],
  ["XADD", "stream:once", "IDMP", "another", "id-1", "*", "field", "value"],
  ["XNACK", "stream", "group", "FAIL", "IDS", "1", "5-1"],
  ["VADD", "vectors", "VALUES", "3", "0.1", "0.2", "0.3", "element"],
];
