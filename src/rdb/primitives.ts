/**
 * Lengths and strings, as RDB files have them (`rdbLoadLenByRef`, `rdbGenericLoadStringObject`).
 */

/** Where the cursor stands after what was read; `value` is what was read. */
export interface Cursor {
  next: number;
  value: number;
}

/** Bytes that are not the format. */
export class MalformedError extends Error {}

/**
 * Beyond 2^53 the value is only about right: such numbers are parts of ids, which are not interpreted.
 *
 * @returns false while its bytes are not all there.
 */
export function readLength(bytes: Buffer, at: number, end: number, cursor: Cursor): boolean {
  if (at >= end) return false;
  const first = bytes[at] as number;
  switch (first >> 6) {
    case 0:
      cursor.value = first;
      cursor.next = at + 1;
      return true;
    case 1:
      if (at + 2 > end) return false;
      cursor.value = ((first & 0x3f) << 8) | (bytes[at + 1] as number);
      cursor.next = at + 2;
      return true;
    case 2:
      if (first === 0x80) {
        if (at + 5 > end) return false;
        cursor.value = bytes.readUInt32BE(at + 1);
        cursor.next = at + 5;
        return true;
      }
      if (first === 0x81) {
        if (at + 9 > end) return false;
        cursor.value = bytes.readUInt32BE(at + 1) * 2 ** 32 + bytes.readUInt32BE(at + 5);
        cursor.next = at + 9;
        return true;
      }
  }
  throw new MalformedError(`no length begins with ${first}`);
}

/** No string is longer (`proto-max-bulk-len` up to its default, and twice that for what a module wrote). */
const longest = 2 ** 40;

/**
 * `value` is how many bytes follow at `next`: as they are, compressed, or a number.
 *
 * @returns false while the head's bytes are not all there.
 */
export function readStringHead(bytes: Buffer, at: number, end: number, cursor: Cursor): boolean {
  if (at >= end) return false;
  const first = bytes[at] as number;
  if (first >> 6 !== 3) {
    if (!readLength(bytes, at, end, cursor)) return false;
  } else if (first <= 0xc2) {
    cursor.value = 1 << (first & 3);
    cursor.next = at + 1;
  } else if (first === 0xc3) {
    if (!readLength(bytes, at + 1, end, cursor)) return false;
    const compressed = cursor.value;
    if (!readLength(bytes, cursor.next, end, cursor)) return false;
    cursor.value = compressed;
  } else throw new MalformedError(`no string begins with ${first}`);
  if (cursor.value > longest) throw new MalformedError(`a string of ${cursor.value} bytes`);
  return true;
}

/** The string whose head is at `at` and whose bytes end at `end`. */
export function decodeString(bytes: Buffer, at: number, end: number): Buffer {
  const first = bytes[at] as number;
  const cursor = { next: 0, value: 0 };
  readStringHead(bytes, at, end, cursor);
  const content = bytes.subarray(cursor.next, end);
  if (first >> 6 !== 3) return content;
  if (first <= 0xc2) return Buffer.from(`${content.readIntLE(0, content.length)}`);
  readLength(bytes, at + 1, end, cursor);
  readLength(bytes, cursor.next, end, cursor);
  return decompress(content, cursor.value);
}

/** LZF: a byte below 32 says how many plain bytes follow, any other how long a copy is and from how far back. */
function decompress(packed: Buffer, size: number): Buffer {
  const plain = Buffer.alloc(size);
  let [from, to] = [0, 0];
  while (from < packed.length) {
    const control = packed[from++] as number;
    if (control < 32) {
      to += packed.copy(plain, to, from, from + control + 1);
      from += control + 1;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += packed[from++] ?? 0;
    let back = to - ((control & 0x1f) << 8) - (packed[from++] ?? 0) - 1;
    if (back < 0 || to + count + 2 > size)
      throw new MalformedError("a compressed string is damaged");
    // Byte by byte: the copy may reach into itself.
    for (let left = count + 2; left > 0; left--) plain[to++] = plain[back++] as number;
  }
  if (to !== size) throw new MalformedError("a compressed string is damaged");
  return plain;
}
