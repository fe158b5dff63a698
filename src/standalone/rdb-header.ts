/**
 * What a snapshot's first bytes tell: its format's version, who wrote it, and how much memory its data took (rdb.c,
 * `rdbSaveInfoAuxFields`). Pure.
 */

export interface RdbHeader {
  /** As the file has it: `REDIS0010`, `VALKEY080`. */
  readonly format: string;
  /** `Redis 7.0.15`, where the file tells. */
  readonly writtenBy: string | undefined;
  /** What the data took in memory, where the file tells. */
  readonly memoryBytes: number | undefined;
}

/** So many bytes hold all that is read here. */
export const headerBytesMax = 512;

const field = 0xfa;

/** @returns undefined for what is no snapshot. */
export function readRdbHeader(bytes: Buffer): RdbHeader | undefined {
  const [format] = /^(?:REDIS\d{4}|VALKEY\d{3})/.exec(bytes.toString("latin1", 0, 9)) ?? [];
  if (format === undefined) return undefined;
  const fields = new Map<string, string>();
  for (let at = format.length; bytes[at] === field; ) {
    const name = readText(bytes, at + 1);
    const value = name && readText(bytes, name.end);
    if (value === undefined) break;
    fields.set(name?.text ?? "", value.text);
    at = value.end;
  }
  const [redis, valkey] = [fields.get("redis-ver"), fields.get("valkey-ver")];
  const memory = Number(fields.get("used-mem"));
  return {
    format,
    writtenBy: valkey ? `Valkey ${valkey}` : redis && `Redis ${redis}`,
    memoryBytes: memory > 0 ? memory : undefined,
  };
}

/** A text with its length, or a number of one, two or four bytes (`rdbLoadLenByRef`). */
function readText(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const text = (start: number, length: number) =>
    start + length > bytes.length
      ? undefined
      : { text: bytes.toString("latin1", start, start + length), end: start + length };
  switch (first >> 6) {
    case 0:
      return text(at + 1, first);
    case 1:
      return text(at + 2, ((first & 0x3f) << 8) | (bytes[at + 1] ?? 0));
    case 3: {
      const length = 2 ** (first & 0x3f);
      if (first > 0xc2 || at + 1 + length > bytes.length) return undefined;
      return { text: `${bytes.readIntLE(at + 1, length)}`, end: at + 1 + length };
    }
    default:
      return undefined;
  }
}
