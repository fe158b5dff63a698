/**
 * What lies in the data folder, and what the server would make of it.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statfsSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { readIfThere } from "../files.ts";
import type { Log } from "../log.ts";
import { type AofManifest, firstParts, parseAofManifest } from "../redis/aof-manifest.ts";
import type { DataFiles } from "../redis/data-files.ts";
import type { Server } from "../redis/server.ts";
import { type Checker, checkCommands, checkSnapshot, readsFormat } from "./ask-checker.ts";
import { endsWhole } from "./commands-in-file.ts";
import { namesToLoad } from "./plan.ts";
import { headerBytesMax, readRdbHeader } from "./rdb-header.ts";
import type { Condition, DataFile, Observation } from "./types.ts";

export interface Surveyed {
  readonly files: DataFiles;
  readonly server: Server;
  readonly takesShort: boolean;
  /** `rdb-version-check relaxed`. */
  readonly isRelaxed: boolean;
  readonly lastStart: Observation["lastStart"];
  readonly log: Log;
}

export async function observe(surveyed: Surveyed): Promise<Observation> {
  const { files, server, takesShort, lastStart } = surveyed;
  const folder = join(files.dir, files.appenddirname);
  const { manifest: manifestName } = firstParts(files);
  const listed = listParts(files, manifestName);
  const seen: Observation = {
    files,
    hasParts: server.hasBusPort,
    takesShort,
    snapshot: look(files.dir, files.dbfilename, "snapshot"),
    single: look(files.dir, files.appendfilename, "commands"),
    manifest: listed.denied === undefined ? readManifest(join(folder, manifestName)) : undefined,
    parts: listed.names
      .filter((name) => name !== manifestName && name.startsWith(files.appendfilename))
      .flatMap((name) => look(files.dir, join(files.appenddirname, name), "part") ?? []),
    partsDenied: listed.denied,
    freeBytes: freeBytesOf(files.dir),
    lastStart,
    memoryLimitBytes: readMemoryLimit(),
  };
  return withConditions(seen, surveyed);
}

/** Small files are checked as a whole before each start; this is what a start with little CPU does not notice. */
const quickBytesMax = 16 << 20;

/** Of what the server would load. A file that nobody has written to since the last start may be why there is another one: it is read as a whole. */
async function withConditions(seen: Observation, surveyed: Surveyed): Promise<Observation> {
  const { lastStart, log } = surveyed;
  const checker = { server: surveyed.server.path, isRelaxed: surveyed.isRelaxed };
  const names = new Set(namesToLoad(seen));
  const check = async (file: DataFile): Promise<DataFile> => {
    if (!names.has(file.name) || file.denied !== undefined) return file;
    const isWanted =
      file.bytes <= quickBytesMax || (lastStart !== undefined && file.writtenAtMs < lastStart.atMs);
    return { ...file, condition: await judge(file, seen.files.dir, checker, isWanted, log) };
  };
  const { snapshot, single, parts } = seen;
  return {
    ...seen,
    snapshot: snapshot && (await check(snapshot)),
    single: single && (await check(single)),
    parts: await Promise.all(parts.map(check)),
  };
}

async function judge(
  { name, bytes, header, isSnapshot }: DataFile,
  dir: string,
  checker: Checker,
  isWhole: boolean,
  log: Log,
): Promise<Condition> {
  const path = join(dir, name);
  if (isSnapshot && header === undefined)
    return { kind: "damaged", why: "it does not begin as a snapshot does" };
  const isDoubtful = () => (isSnapshot ? !endsWithMark(path) : !endsWithCommand(path));
  if (isWhole || isDoubtful()) {
    log.debug("action", `${path} is read as a whole`, { bytes });
    return (isSnapshot ? checkSnapshot : checkCommands)(checker, path);
  }
  const isRead = header === undefined || (await readsFormat(checker, header.format, dir));
  return { kind: isRead ? "sound" : "foreign" };
}

/** An end mark, and eight bytes of checksum. */
function endsWithMark(path: string): boolean {
  const { bytes } = readEnd(path, 9);
  return bytes[0] === 0xff;
}

const tailBytes = 1 << 20;

function endsWithCommand(path: string): boolean {
  const { bytes, isAll } = readEnd(path, tailBytes);
  return endsWhole(bytes, isAll);
}

function readEnd(path: string, count: number): { bytes: Buffer; isAll: boolean } {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(count, size));
    readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return { bytes, isAll: bytes.length === size };
  } finally {
    closeSync(fd);
  }
}

function look(
  dir: string,
  name: string,
  kind: "snapshot" | "commands" | "part",
): DataFile | undefined {
  const path = join(dir, name);
  let stat: Stats | undefined;
  try {
    stat = statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // Its folder is closed to us, which is told with the folder.
  }
  if (!stat?.isFile()) return undefined;
  const isSnapshot = kind === "snapshot" || (kind === "part" && name.endsWith(".rdb"));
  // Commands are appended, also to those of the last run.
  const denied = whyDenied(path, isSnapshot ? constants.R_OK : constants.R_OK | constants.W_OK);
  return {
    name,
    bytes: stat.size,
    writtenAtMs: stat.mtimeMs,
    isSnapshot,
    denied,
    header: denied === undefined ? readRdbHeader(readStart(path)) : undefined,
    condition: undefined,
  };
}

function readStart(path: string): Buffer {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(headerBytesMax);
    return bytes.subarray(0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

function listParts(
  { dir, appenddirname }: DataFiles,
  manifestName: string,
): { names: readonly string[]; denied: string | undefined } {
  const folder = join(dir, appenddirname);
  if (!existsSync(folder)) return { names: [], denied: undefined };
  const { R_OK, W_OK, X_OK } = constants;
  const closed = whyDenied(folder, R_OK | W_OK | X_OK);
  if (closed !== undefined) return { names: [], denied: `${appenddirname}: ${closed}` };
  const manifest = join(folder, manifestName);
  const why = existsSync(manifest) ? whyDenied(manifest, R_OK) : undefined;
  const denied = why && `${join(appenddirname, manifestName)}: ${why}`;
  return { names: readdirSync(folder), denied };
}

function whyDenied(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch {
    const { uid, gid, mode: has } = statSync(path);
    return `it belongs to user ${uid} and group ${gid} (mode ${(has & 0o777).toString(8)}), and this is user ${process.getuid?.()}`;
  }
}

function readManifest(path: string): AofManifest | string | undefined {
  try {
    const text = readIfThere(path);
    return text === undefined ? undefined : parseAofManifest(text);
  } catch (thrown) {
    return messageOf(thrown);
  }
}

export function freeBytesOf(dir: string): number {
  const { bavail, bsize, files, ffree } = statfsSync(dir);
  // No place for another file is no place at all; some file systems do not count them.
  return files > 0 && ffree === 0 ? 0 : bavail * bsize;
}

/** Of this container (cgroup 2, else 1). */
function readMemoryLimit(): number | undefined {
  for (const file of ["memory.max", "memory/memory.limit_in_bytes"]) {
    const bytes = Number(readIfThere(`/sys/fs/cgroup/${file}`)?.trim() || Number.NaN);
    if (bytes > 0) return bytes;
  }
  return undefined;
}
