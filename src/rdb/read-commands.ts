/**
 * Reads an append-only file as it comes: commands, and the annotations that tell the time (`#TS:`, Redis 7.0's
 * `aof-timestamp-enabled`).
 */
import { RekindleError } from "../errors.ts";

export interface LoggedCommand {
  readonly kind: "command";
  /** As it is in the file. */
  readonly bytes: Buffer;
  readonly words: readonly Buffer[];
}

export interface Annotation {
  readonly kind: "annotation";
  readonly bytes: Buffer;
  /** Undefined for an annotation of another kind. */
  readonly seconds: number | undefined;
}

export type Entry = LoggedCommand | Annotation;

const [star, hash] = [0x2a, 0x23];

/**
 * What the last chunk leaves unfinished is left out: a stream may end anywhere.
 *
 * @throws RekindleError "refused" for what is no append-only file, with the offset.
 */
export async function* readCommands(
  where: string,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Entry> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  /** Of what is unfinished: looked at again only when so many bytes are there. */
  let needed = 0;
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  for await (const chunk of content) {
    waiting.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    waitingBytes += chunk.byteLength;
    if (rest.length + waitingBytes < needed) continue;
    const bytes = Buffer.concat([rest, ...waiting.splice(0)]);
    waitingBytes = 0;
    let at = 0;
    for (;;) {
      const read = readEntry(bytes, at);
      if (typeof read === "number") {
        if (read < 0)
          throw new RekindleError(
            "refused",
            `${where} is damaged at byte ${offset + at}: no command begins there`,
            {
              hint: "choose a moment before that with --at, or another snapshot",
            },
          );
        needed = read - at;
        break;
      }
      at += read.bytes.length;
      yield read;
    }
    offset += at;
    rest = bytes.subarray(at);
  }
}

/** @returns up to where it needs bytes, while they are not all there; -1 where nothing that is known begins. */
function readEntry(bytes: Buffer, start: number): Entry | number {
  const lineEnd = bytes.indexOf("\r\n", start);
  const first = bytes[start];
  if (first !== undefined && first !== star && first !== hash) return -1;
  if (lineEnd < 0) return bytes.length - start > longestLine ? -1 : bytes.length + 1;
  const line = bytes.toString("latin1", start, lineEnd);
  if (first === hash) {
    const seconds = /^#TS:(\d+)$/.exec(line)?.[1];
    return {
      kind: "annotation",
      bytes: bytes.subarray(start, lineEnd + 2),
      seconds: seconds === undefined ? undefined : Number(seconds),
    };
  }
  return readCommand(bytes, start, lineEnd + 2, Number(line.slice(1)));
}

const longestLine = 1_024;

function readCommand(bytes: Buffer, start: number, from: number, count: number): Entry | number {
  if (!(Number.isInteger(count) && count > 0)) return -1;
  const words: Buffer[] = [];
  let at = from;
  for (let index = 0; index < count; index++) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return bytes.length - at > longestLine ? -1 : bytes.length + 1;
    const size = bytes[at] === 0x24 ? Number(bytes.toString("latin1", at + 1, lineEnd)) : -1;
    if (!(Number.isInteger(size) && size >= 0)) return -1;
    const end = lineEnd + 2 + size;
    if (end + 2 > bytes.length) return end + 2;
    words.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
  return { kind: "command", bytes: bytes.subarray(start, at), words };
}
