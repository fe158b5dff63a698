/**
 * The first bytes of an RDB: what it is, and the facts that the server notes there (`rdbSaveInfoAuxFields`). Pure.
 */

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
const signatureBytes = 9;
const auxiliaryField = 0xfa;

export function createRdbHeadReader(): RdbHeadReader {
  let kept: Buffer = Buffer.alloc(0);
  return {
    push(bytes) {
      if (kept.length < headBytesMax)
        kept = Buffer.concat([kept, bytes.subarray(0, headBytesMax - kept.length)]);
    },
    read: () => ({
      isRdb: /^(REDIS|VALKEY)\d+$/.test(kept.toString("latin1", 0, signatureBytes)),
      fields: readFields(kept),
    }),
  };
}

function readFields(bytes: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let at = signatureBytes;
  while (bytes[at] === auxiliaryField) {
    const name = readString(bytes, at + 1);
    const value = name && readString(bytes, name.end);
    if (!value) break;
    fields.set(name.text, value.text);
    at = value.end;
  }
  return fields;
}

/** The encodings that such fields have: a length of 6 or 14 bits, or a whole number of 8, 16 or 32. */
function readString(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first >= 0xc0 && first <= 0xc2) {
    const size = 1 << (first - 0xc0);
    if (at + 1 + size > bytes.length) return undefined;
    return { text: `${bytes.readIntLE(at + 1, size)}`, end: at + 1 + size };
  }
  if (first >= 0x80) return undefined;
  const isLong = first >= 0x40;
  const start = at + (isLong ? 2 : 1);
  const end = start + (isLong ? ((first & 0x3f) << 8) | (bytes[at + 1] ?? 0) : first);
  return end > bytes.length ? undefined : { text: bytes.toString("utf8", start, end), end };
}
