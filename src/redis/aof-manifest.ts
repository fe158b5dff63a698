/**
 * The manifest of a multi-part append-only file (since Redis 7.0), read as strictly as the server reads it (aof.c, `aofLoadManifestFromFile`, 7.0). Pure.
 */
import type { DataFiles } from "./data-files.ts";
import { quoteArgument, splitArguments } from "./user-configuration.ts";

export interface AofManifest {
  /** A snapshot, or commands. */
  readonly base: string | undefined;
  /** In the order in which they are loaded. */
  readonly increments: readonly string[];
}

/** @returns what is wrong with it, in words, where it cannot be used. */
export function parseAofManifest(text: string): AofManifest | string {
  let base: string | undefined;
  const increments: string[] = [];
  let lastSequence = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const words = splitArguments(line);
    const pairs = new Map(words?.map((word, at) => [word.toLowerCase(), words[at + 1]]));
    const [file, sequence, type] = [pairs.get("file"), Number(pairs.get("seq")), pairs.get("type")];
    const where = `line ${index + 1}`;
    if (!file || file.includes("/") || !(sequence > 0) || !/^[bhi]$/.test(type ?? ""))
      return `${where} is not understood`;
    if (type === "b" && base !== undefined) return `${where} names a second base`;
    if (type === "b") base = file;
    if (type !== "i") continue;
    if (sequence <= lastSequence) return `${where} is out of order`;
    lastSequence = sequence;
    increments.push(file);
  }
  return base === undefined && increments.length === 0 ? "it names no file" : { base, increments };
}

/** What the first parts are called, and the manifest itself. */
export const firstParts = ({ appendfilename }: Pick<DataFiles, "appendfilename">) => ({
  base: `${appendfilename}.1.base.rdb`,
  increment: `${appendfilename}.1.incr.aof`,
  manifest: `${appendfilename}.manifest`,
});

/** Of a snapshot, and of what came after it. */
export const renderAofManifest = (base: string, increment?: string): string =>
  [
    `file ${quoteArgument(base)} seq 1 type b\n`,
    ...(increment === undefined ? [] : [`file ${quoteArgument(increment)} seq 1 type i\n`]),
  ].join("");
