/**
 * Reads an RDB file as it comes, record by record, and keeps of each what it is told to, byte for byte.
 */
import { messageOf, RekindleError } from "../errors.ts";
import {
  layoutOf,
  length,
  modulePart,
  moduleWithoutLength,
  opcodes,
  type Step,
  string,
} from "./format.ts";
import {
  type Cursor,
  decodeString,
  MalformedError,
  readLength,
  readStringHead,
} from "./primitives.ts";
import { type Format, headerBytes, readHeader } from "./versions.ts";
import { createWalker } from "./walk-value.ts";

export interface RdbVisitor {
  header(format: Format, bytes: Buffer): void;
  /** What belongs to no key; the bytes are valid during the call only, as all that follow. */
  extra(kind: "aux" | "function" | "module", bytes: Buffer, name: Buffer): void;
  database(index: number): void;
  /** @returns whether the record of this key is wanted. */
  key(bytes: Buffer, from: number, to: number): boolean;
  /** A part of a wanted record. */
  keep(bytes: Buffer, from: number, to: number): void;
}

export interface RdbReader {
  push(chunk: Buffer): void;
  /** @throws RekindleError where the file is not whole. */
  end(): void;
}

/**
 * @param where names the file in what is thrown.
 * @throws RekindleError "refused" from `push`, with the offset, for what is no RDB file, damaged, or of a type that is not known.
 */
export function createRdbReader(where: string, visitor: RdbVisitor): RdbReader {
  const walker = createWalker();
  const cursor: Cursor = { next: 0, value: 0 };
  let format: Format | undefined;
  let rest: Buffer = Buffer.alloc(0);
  /** What came after it and was not looked at yet. */
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  /** Of the first byte of what is being read, in the file. */
  let offset = 0;
  /** In the middle of a value. */
  let state: "head" | "value" | "ended" = "head";
  let isWanted = false;
  /** What of the present bytes is wanted and not yet told of: records that follow each other are one part. */
  let [keptFrom, keptTo] = [0, 0];

  function keep(bytes: Buffer, from: number, to: number): void {
    if (keptTo !== from) tell(bytes);
    if (keptFrom === keptTo) keptFrom = from;
    keptTo = to;
  }

  function tell(bytes: Buffer): void {
    if (keptFrom < keptTo) visitor.keep(bytes, keptFrom, keptTo);
    keptFrom = keptTo = 0;
  }

  function refuse(what: string, at: number): RekindleError {
    return new RekindleError("refused", `${where} is damaged at byte ${offset + at}: ${what}`, {
      hint: "choose another snapshot: `rekindle backups --verify` tells which are sound",
    });
  }

  /** Where the layout's bytes end; undefined while they are not all there. */
  function endOf(layout: readonly Step[], bytes: Buffer, at: number): number | undefined {
    walker.begin(layout);
    const end = walker.advance(bytes, at, bytes.length);
    return walker.isDone ? end : undefined;
  }

  /** Reads what begins at `at`. @returns where the next begins; undefined while its bytes are not all there. */
  function readHead(bytes: Buffer, start: number): number | undefined {
    let at = start;
    // What is said of the next key comes before it, and belongs to its record.
    for (;;) {
      const type = bytes[at];
      if (type === undefined) return undefined;
      if (type < opcodes.slotImportOrKeyMeta) return readKey(type, bytes, start, at + 1);
      const about = aboutKey(type);
      if (about === undefined) {
        if (at > start) throw new MalformedError(`${type} where a key was expected`);
        return readOpcode(type, bytes, at + 1);
      }
      const next = endOf(about, bytes, at + 1);
      if (next === undefined) return undefined;
      at = next;
    }
  }

  function aboutKey(type: number): readonly Step[] | undefined {
    switch (type) {
      case opcodes.idle:
        return [length];
      case opcodes.frequency:
        return [1];
      case opcodes.expireMs:
        return [8];
      case opcodes.expireSeconds:
        return [4];
      case opcodes.slotImportOrKeyMeta:
        return format?.name === "redis" ? [[4, modulePart]] : undefined;
    }
    return undefined;
  }

  function readKey(type: number, bytes: Buffer, start: number, at: number): number | undefined {
    const layout = layoutOf(type, format?.name === "valkey");
    if (layout === undefined) throw new MalformedError(describeUnknown(type));
    if (!readStringHead(bytes, at, bytes.length, cursor)) return undefined;
    const end = cursor.next + cursor.value;
    if (end > bytes.length) return undefined;
    const isPlain = (bytes[at] as number) >> 6 !== 3;
    const name = isPlain ? bytes : decodeString(bytes, at, end);
    isWanted = visitor.key(name, isPlain ? cursor.next : 0, isPlain ? end : name.length);
    if (isWanted) keep(bytes, start, end);
    walker.begin(layout);
    state = "value";
    return end;
  }

  function readOpcode(type: number, bytes: Buffer, at: number): number | undefined {
    tell(bytes);
    switch (type) {
      case opcodes.selectDb:
        if (!readLength(bytes, at, bytes.length, cursor)) return undefined;
        visitor.database(cursor.value);
        return cursor.next;
      case opcodes.resizeDb:
        return endOf([length, length], bytes, at);
      case opcodes.slotInfo:
        return endOf([length, length, length], bytes, at);
      case opcodes.slotImportOrKeyMeta:
        return endOf([string, [length, length]], bytes, at);
      case opcodes.aux:
        return readExtra("aux", [string, string], bytes, at);
      case opcodes.function:
        return readExtra("function", [string], bytes, at);
      case opcodes.moduleAux:
        return readExtra("module", [length, length, length, modulePart], bytes, at);
      case opcodes.end:
        state = "ended";
        return at;
    }
    throw new MalformedError(describeUnknown(type));
  }

  function readExtra(
    kind: "aux" | "function" | "module",
    layout: readonly Step[],
    bytes: Buffer,
    at: number,
  ): number | undefined {
    const end = endOf(layout, bytes, at);
    if (end === undefined) return undefined;
    const nameEnd = kind === "aux" ? (endOf([string], bytes, at) ?? at) : at;
    const name = kind === "aux" ? decodeString(bytes, at, nameEnd) : bytes.subarray(at, at);
    visitor.extra(kind, bytes.subarray(at - 1, end), name);
    return end;
  }

  function readValue(bytes: Buffer, start: number): number {
    const end = walker.advance(bytes, start, bytes.length);
    if (isWanted) keep(bytes, start, end);
    if (walker.isDone) state = "head";
    return end;
  }

  /** @returns how many of the bytes have been read. */
  function read(bytes: Buffer): number {
    let at = 0;
    try {
      if (format === undefined) {
        if (bytes.length < headerBytes) return 0;
        format = readHeader(bytes);
        visitor.header(format, bytes.subarray(0, headerBytes));
        at = headerBytes;
      }
      while (at < bytes.length && state !== "ended") {
        if (state === "value") {
          const end = readValue(bytes, at);
          if (end === at && !walker.isDone) break;
          at = end;
        } else {
          const next = readHead(bytes, at);
          if (next === undefined) break;
          at = next;
        }
      }
    } catch (thrown) {
      if (thrown instanceof MalformedError) throw refuse(messageOf(thrown), at);
      throw thrown;
    }
    tell(bytes);
    return at;
  }

  function readWaiting(): void {
    const [only, ...more] = rest.length > 0 ? [rest, ...waiting] : waiting;
    const bytes = only && more.length > 0 ? Buffer.concat([only, ...more]) : (only ?? rest);
    waiting = [];
    waitingBytes = 0;
    const at = read(bytes);
    offset += at;
    rest = bytes.subarray(at);
    if (state === "ended" && rest.length > checksumBytes)
      throw refuse("something follows its end", 0);
    if (rest.length > longestHead) throw refuse("a key or a field without an end", 0);
  }

  return {
    push(chunk) {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      // What is long is looked at again only when there is twice as much of it.
      if (rest.length < longHead || waitingBytes >= rest.length) readWaiting();
    },
    end() {
      readWaiting();
      if (state !== "ended" || rest.length !== checksumBytes)
        throw new RekindleError(
          "refused",
          `${where} is cut off after ${offset + rest.length} bytes`,
          {
            hint: "choose another snapshot: `rekindle backups --verify` tells which are sound",
          },
        );
    },
  };
}

const checksumBytes = 8;
/** Values may be of any size; what must be known at once may not. */
const longestHead = 512 * 1024 * 1024;
const longHead = 64 * 1024;

function describeUnknown(type: number): string {
  if (type === moduleWithoutLength)
    return "a module's value in the format of Redis 4.0's candidates";
  if (type === opcodes.functionOfCandidates)
    return "a function in the format of Redis 7.0's candidates";
  return `nothing that is known has type ${type}; a newer Rekindle may know it`;
}
