/**
 * The first bytes of an RDB: what it is, and the facts that the server notes there (`rdbSaveInfoAuxFields`). Pure.
 */
import { opcodes } from "../rdb/format.ts";
import { decodeString, MalformedError, readStringHead } from "../rdb/primitives.ts";
import { headerBytes } from "../rdb/versions.ts";

export interface RdbHead {
  readonly isRdb: boolean;
  /** `redis-ver`, `repl-stream-db`, … */
  readonly fields: ReadonlyMap<string, string>;
}

export interface RdbHeadReader {
  push(bytes: Buffer): void;
  read(): RdbHead;
}

const headBytesMax = 4_096;

export function createRdbHeadReader(): RdbHeadReader {
  let kept: Buffer = Buffer.alloc(0);
  return {
    push(bytes) {
      if (kept.length < headBytesMax)
        kept = Buffer.concat([kept, bytes.subarray(0, headBytesMax - kept.length)]);
    },
    read: () => ({
      isRdb: /^(REDIS|VALKEY)\d+$/.test(kept.toString("latin1", 0, headerBytes)),
      fields: readFields(kept),
    }),
  };
}

function readFields(bytes: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let at = headerBytes;
  while (bytes[at] === opcodes.aux) {
    const name = readString(bytes, at + 1);
    const value = name && readString(bytes, name.end);
    if (!value) break;
    fields.set(name.text, value.text);
    at = value.end;
  }
  return fields;
}

/** Undefined where it is not all here, or no string. */
function readString(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  const head = { next: 0, value: 0 };
  try {
    if (!readStringHead(bytes, at, bytes.length, head)) return undefined;
    const end = head.next + head.value;
    if (end > bytes.length) return undefined;
    return { text: decodeString(bytes, at, end).toString(), end };
  } catch (thrown) {
    if (thrown instanceof MalformedError) return undefined;
    throw thrown;
  }
}
