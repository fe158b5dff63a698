/**
 * The server's own checkers of its files. They are the server's executable under another name (server.c, `main`): what they read it
 * reads, and what they refuse it would die of.
 */
import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endsWhole, readCommands } from "./commands-in-file.ts";
import type { Condition } from "./types.ts";

const sound: Condition = { kind: "sound" };

export interface Checker {
  /** The server's executable. */
  readonly server: string;
  /** `rdb-version-check relaxed`: Valkey 9 tries to read what Redis 7.4 and later have written. */
  readonly isRelaxed: boolean;
}

interface Answer {
  /** Also where the executable is no such checker: a wrapper script, for one. */
  readonly isSound: boolean;
  readonly isForeign: boolean;
  readonly output: string;
}

async function ask(
  { server, isRelaxed }: Checker,
  name: "redis-check-rdb" | "redis-check-aof",
  path: string,
): Promise<Answer> {
  const { spawn } = await import("node:child_process");
  const child = spawn(server, [path], { argv0: name, stdio: ["ignore", "pipe", "pipe"] });
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (part: Buffer) => parts.push(part));
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
    child.once("error", () => resolve(null));
  });
  const output = Buffer.concat(parts).toString("latin1");
  const isChecker = /Checking RDB file|AOF analyzed|AOF .*is not valid/.test(output);
  const isForeign =
    /Can't handle RDB format version|Wrong signature/.test(output) ||
    (!isRelaxed && output.includes("rdb-version-check relaxed"));
  return { isSound: !isChecker || code === 0, isForeign, output };
}

/** Reads all of it. */
export async function checkSnapshot(checker: Checker, path: string): Promise<Condition> {
  const { isSound, isForeign, output } = await ask(checker, "redis-check-rdb", path);
  if (isForeign) return { kind: "foreign" };
  return isSound ? sound : { kind: "damaged", why: findComplaint(output) };
}

/** Reads all of it. */
export async function checkCommands(checker: Checker, path: string): Promise<Condition> {
  const { isSound, isForeign, output } = await ask(checker, "redis-check-aof", path);
  if (isForeign) return { kind: "foreign" };
  if (isSound) return sound;
  const wholeBytes = Number(/ok_up_to=(\d+)/.exec(output)?.[1] ?? Number.NaN);
  if (wholeBytes >= 0 && isCutShort(readFrom(path, wholeBytes)))
    return { kind: "short", wholeBytes };
  const where = wholeBytes >= 0 ? ` after byte ${wholeBytes}` : "";
  return { kind: "damaged", why: `${findComplaint(output)}${where}` };
}

/**
 * The checker does not tell a file that ends too early from a damaged one; what follows does. The server takes a length that is
 * wrong, and so reaches beyond the end, for an early end, and cuts off whatever follows: where whole commands do, it is a damage.
 */
function isCutShort(rest: Buffer): boolean {
  const reading = readCommands(rest);
  return reading === "open" || (reading === "short" && !endsWhole(rest, false));
}

/**
 * Whether the server reads snapshots of this format, by giving it an empty one: no list of ours could know the versions to come.
 *
 * @param format as the file's first bytes have it.
 * @param dir where this user may write.
 */
export async function readsFormat(checker: Checker, format: string, dir: string): Promise<boolean> {
  // All since 6.0 do.
  if (format <= "REDIS0009") return true;
  const path = join(dir, "rekindle-empty.rdb");
  try {
    writeFileSync(path, Buffer.concat([Buffer.from(format), Buffer.from([0xff]), Buffer.alloc(8)]));
    return !(await ask(checker, "redis-check-rdb", path)).isForeign;
  } finally {
    unlinkSync(path);
  }
}

/** `Expected prefix '$', got: '*'`, `RDB CRC error`: without where in the checker's own words. */
function findComplaint(output: string): string {
  const lines = output.split("\n");
  const at = lines.findIndex((line) => line.includes("ERROR DETECTED"));
  const said = at >= 0 ? lines[at + 1] : lines.find((line) => /^0x\s*[0-9a-f]+: /.test(line));
  return (
    said?.replace(/^\[offset (\d+)\] (.*)$/, "$2, at byte $1").replace(/^0x\s*[0-9a-f]+: /, "") ??
    "the server's own checker refuses it"
  );
}

/** More than the beginning of a command, but for the largest values. */
const restBytesMax = 64 << 20;

function readFrom(path: string, at: number): Buffer {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.min(restBytesMax, fstatSync(fd).size - at));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, at));
  } finally {
    closeSync(fd);
  }
}
