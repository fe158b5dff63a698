/**
 * What a server sends to one that it takes for its replica, taken apart as the bytes come. Pure.
 *
 * Lines until PSYNC is granted, with empty ones in between to keep the connection alive; for a full copy the RDB, in one of two
 * framings: `$<bytes>` where the server has it on its disk, `$EOF:<40 bytes>` where it makes it on the way and ends it with
 * those; from there on its stream of commands (`syncWithMaster` and `readSyncBulkPayload` in replication.c).
 */

export type Sent =
  /** An answer, with the sign that says what it is. */
  | { readonly kind: "line"; readonly line: string }
  | { readonly kind: "rdb"; readonly bytes: Buffer }
  | { readonly kind: "rdb-end" }
  | { readonly kind: "commands"; readonly bytes: Buffer };

export interface FeedReader {
  /** What the bytes bring; `rdb` and `commands` are views of them. @throws Error where they are not this protocol. */
  push(bytes: Buffer): Sent[];
}

const markBytes = 40;
const lineBytesMax = 4_096;

export function createFeedReader(): FeedReader {
  let state: "lines" | "header" | "sized" | "marked" | "commands" = "lines";
  /** The beginning of a line, or of what may be the mark. */
  let held: Buffer = Buffer.alloc(0);
  let [left, mark] = [0, Buffer.alloc(0)];

  function readLine(bytes: Buffer, sent: Sent[]): Buffer {
    const end = bytes.indexOf("\n");
    if (end < 0 && bytes.length > lineBytesMax)
      throw new Error("the answer is not the Redis protocol");
    if (end < 0) return hold(bytes, bytes.length);
    const line = bytes.toString("utf8", 0, end).replace(/\r$/, "");
    if (line === "") return bytes.subarray(end + 1);
    if (state === "header") readHeader(line);
    else sent.push({ kind: "line", line });
    if (line.startsWith("+FULLRESYNC ")) state = "header";
    if (/^\+CONTINUE\b/.test(line)) state = "commands";
    return bytes.subarray(end + 1);
  }
  function readHeader(line: string): void {
    const [, size, given = ""] = /^\$(?:(\d+)|EOF:(.{40}))$/.exec(line) ?? [];
    if (size === undefined && given === "")
      throw new Error(`the server sends "${line.slice(0, 80)}" instead of a copy`);
    [state, left, mark] =
      size === undefined
        ? ["marked", 0, Buffer.from(given)]
        : ["sized", Number(size), Buffer.alloc(0)];
  }
  function readSized(bytes: Buffer, sent: Sent[]): Buffer {
    const taken = bytes.subarray(0, left);
    if (taken.length > 0) sent.push({ kind: "rdb", bytes: taken });
    left -= taken.length;
    if (left === 0) endCopy(sent);
    return bytes.subarray(taken.length);
  }
  function readMarked(bytes: Buffer, sent: Sent[]): Buffer {
    const at = bytes.indexOf(mark);
    // The last bytes may be the mark's first.
    const end = at >= 0 ? at : Math.max(0, bytes.length - markBytes + 1);
    if (end > 0) sent.push({ kind: "rdb", bytes: bytes.subarray(0, end) });
    if (at < 0) return hold(bytes.subarray(end), bytes.length - end);
    endCopy(sent);
    return bytes.subarray(at + markBytes);
  }
  function endCopy(sent: Sent[]): void {
    sent.push({ kind: "rdb-end" });
    state = "commands";
  }
  /** A copy of its own: the rest of the piece need not stay in memory for it. */
  function hold(bytes: Buffer, length: number): Buffer {
    held = Buffer.from(bytes.subarray(0, length));
    return bytes.subarray(length);
  }

  return {
    push(bytes) {
      const sent: Sent[] = [];
      let rest = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      held = Buffer.alloc(0);
      while (rest.length > 0) {
        if (state === "lines" || state === "header") rest = readLine(rest, sent);
        else if (state === "sized") rest = readSized(rest, sent);
        else if (state === "marked") rest = readMarked(rest, sent);
        else {
          sent.push({ kind: "commands", bytes: rest });
          break;
        }
      }
      return sent;
    },
  };
}
