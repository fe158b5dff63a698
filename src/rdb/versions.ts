/**
 * Which server can load which file. Each line was read in `rdb.h` of that release, or seen in a file that it wrote.
 */
import type { ServerVersion } from "../redis/server.ts";
import { MalformedError } from "./primitives.ts";

export interface Format {
  readonly name: "redis" | "valkey";
  readonly version: number;
}

export const headerBytes = 9;

/** @throws MalformedError for the head of anything but an RDB file. */
export function readHeader(bytes: Buffer): Format {
  const [, redis, valkey] =
    /^(?:REDIS(\d{4})|VALKEY(\d{3}))/.exec(bytes.toString("latin1", 0, headerBytes)) ?? [];
  if (redis !== undefined) return { name: "redis", version: Number(redis) };
  if (valkey !== undefined) return { name: "valkey", version: Number(valkey) };
  throw new MalformedError("it does not begin as an RDB file does");
}

/** The first release that writes the version, and all before it the one above; newest first. */
const formats: Readonly<
  Record<Format["name"], readonly (readonly [from: string, version: number])[]>
> = {
  redis: [
    ["8.8", 14],
    ["8.6", 13],
    ["7.4", 12],
    ["7.2", 11],
    ["7.0", 10],
    ["0", 9],
  ],
  valkey: [
    ["9.0", 80],
    ["0", 11],
  ],
};

/** Later releases than these may write something newer. */
const known: Readonly<Record<Format["name"], string>> = { redis: "8.8", valkey: "9.1" };

/** What the server writes; a release that is newer than this table may write more. */
export function formatOf({ name, version }: ServerVersion): Format {
  const [, newest = 0] = formats[name].find(([from]) => compareVersions(version, from) >= 0) ?? [];
  return { name: newest < 80 ? "redis" : "valkey", version: newest };
}

/** Valkey takes Redis' files up to its own beginnings (`rdbLoadRioWithLoadingCtx`, Valkey 8.1: 12 to 79 are "foreign"). */
export function canLoad(server: ServerVersion, file: Format): boolean {
  if (compareVersions(server.version, known[server.name], 2) > 0)
    return file.name === server.name || file.version <= 11;
  const own = formatOf(server);
  if (file.name === own.name) return file.version <= own.version;
  return own.name === "valkey" && file.version <= 11;
}

/** Of the first `parts` numbers only. */
function compareVersions(one: string, other: string, parts = 3): number {
  const numbers = (version: string) => version.split(".").slice(0, parts).map(Number);
  const [left, right] = [numbers(one), numbers(other)];
  for (let index = 0; index < parts; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export const describeFormat = ({ name, version }: Format): string =>
  `${name === "redis" ? "Redis" : "Valkey"} RDB version ${version}`;
