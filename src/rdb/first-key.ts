/**
 * Which argument of a command in an append-only file is its first key: the one that tells the slot, since all keys of a command
 * are of one slot. Only commands that write get there.
 */

/** Those that touch no key: `everywhere` is for every shard, `nobody` for none. */
export type Place = "everywhere" | "nobody" | "flush" | number;

const places: ReadonlyMap<string, Place> = new Map<string, Place>([
  ["SELECT", "everywhere"],
  ["SCRIPT", "everywhere"],
  ["FUNCTION", "everywhere"],
  ["SWAPDB", "everywhere"],
  ["FLUSHALL", "flush"],
  ["FLUSHDB", "flush"],
  // What a replication stream has besides writes.
  ...["PING", "REPLCONF", "PUBLISH", "SPUBLISH", "CLUSTER"].map(
    (name) => [name, "nobody"] as const,
  ),
  // A word or a count comes first.
  ...["XGROUP", "BITOP", "MSETEX"].map((name) => [name, 2] as const),
  // Up to 6.2 a script may be there itself, instead of what it did: script, count, keys.
  ...["EVAL", "EVALSHA", "FCALL"].map((name) => [name, 3] as const),
]);

/** @returns the argument's index, the command's name being 0. */
export const placeOf = (name: string): Place => places.get(name) ?? 1;
