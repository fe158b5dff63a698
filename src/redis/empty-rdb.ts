/**
 * Whether a snapshot holds nothing: a server that never had a key writes one all the same.
 *
 * The format is the server's own (rdb.c, `rdbSaveRio`): nine bytes that tell the version, fields about the file itself, then the
 * databases, an end mark and a checksum.
 */

const [field, endMark] = [0xfa, 0xff];
const [headerBytes, checksumBytes] = [9, 8];

/** @returns false for whatever is not certainly a whole snapshot without any key or function. */
export function isEmptyRdb(bytes: Buffer): boolean {
  if (!/^(REDIS\d{4}|VALKEY\d{3})/.test(bytes.toString("latin1", 0, headerBytes))) return false;
  let at: number | undefined = headerBytes;
  while (at !== undefined && bytes[at] === field) {
    const afterName = skipText(bytes, at + 1);
    at = afterName && skipText(bytes, afterName);
  }
  return at !== undefined && bytes[at] === endMark && bytes.length === at + 1 + checksumBytes;
}

/** Texts come with their length, or are numbers of one, two or four bytes (`rdbLoadLenByRef`). */
function skipText(bytes: Buffer, at: number): number | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const second = bytes[at + 1];
  switch (first >> 6) {
    case 0:
      return at + 1 + first;
    case 1:
      return second === undefined ? undefined : at + 2 + (((first & 0x3f) << 8) | second);
    case 3:
      return first <= 0xc2 ? at + 1 + 2 ** (first & 0x3f) : undefined;
    default:
      return undefined;
  }
}
