/**
 * The commands of an append-only file, as far as telling its end from a damage takes: whole, cut short in a command, or no
 * commands (aof.c, `loadSingleAppendOnlyFile`). Pure.
 */

export type Reading =
  | "whole"
  /** Whole commands, and a transaction among them that has no end. */
  | "open"
  | "short"
  | "bad";

/** What these bytes are, from the start of a command on. */
export function readCommands(bytes: Buffer): Reading {
  let isInTransaction = false;
  for (let at = 0; at < bytes.length; ) {
    // An annotation: the time, where the server writes it.
    if (bytes[at] === 0x23) {
      const end = bytes.indexOf("\n", at);
      if (end < 0) return "short";
      at = end + 1;
      continue;
    }
    const count = readNumber(bytes, at, "*");
    if (typeof count === "string") return count;
    if (count.value < 1) return "bad";
    at = count.end;
    for (let word = 0; word < count.value; word++) {
      const length = readNumber(bytes, at, "$");
      if (typeof length === "string") return length;
      const end = length.end + length.value;
      if (end + 2 > bytes.length) return "short";
      if (bytes[end] !== 0x0d || bytes[end + 1] !== 0x0a) return "bad";
      if (word === 0 && length.value <= 5) {
        const name = bytes.toString("latin1", length.end, end).toUpperCase();
        if (name === "MULTI") isInTransaction = true;
        if (name === "EXEC") isInTransaction = false;
      }
      at = end + 2;
    }
  }
  return isInTransaction ? "open" : "whole";
}

/** `*3\r\n`, `$5\r\n`. */
function readNumber(
  bytes: Buffer,
  at: number,
  sign: string,
): { value: number; end: number } | Reading {
  if (at >= bytes.length) return "short";
  const text = bytes.toString("latin1", at, at + 24);
  const [, digits, end] = /^(\d{0,18})(\r?\n?)/.exec(text.slice(1)) ?? [];
  if (text[0] !== sign || digits === undefined) return "bad";
  if (end === "\r\n" && digits !== "")
    return { value: Number(digits), end: at + 1 + digits.length + 2 };
  return at + 1 + digits.length + (end?.length ?? 0) >= bytes.length ? "short" : "bad";
}

/**
 * Whether a file ends with a whole command, by its last bytes alone.
 *
 * @param isAll these bytes are the whole file.
 * @returns false also where these bytes do not tell.
 */
export function endsWhole(bytes: Buffer, isAll: boolean): boolean {
  if (isAll && (bytes.length === 0 || bytes[0] === 0x2a || bytes[0] === 0x23))
    return readCommands(bytes) === "whole";
  for (let at = bytes.indexOf("\r\n*"); at >= 0; at = bytes.indexOf("\r\n*", at + 1)) {
    const reading = readCommands(bytes.subarray(at + 2));
    // A value may look like the start of a command; what it is then followed by does not.
    if (reading !== "bad") return reading === "whole";
  }
  return false;
}
