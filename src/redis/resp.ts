/**
 * The Redis serialization protocol, version 2: commands out, replies in.
 *
 * Bytes are kept as `latin1` text inside, one character a byte, so that nothing is lost; replies are decoded as UTF-8.
 */

export type Reply = string | number | null | ReplyError | readonly Reply[];

/** An error reply, as a value: one command of a pipeline may fail while the others succeed. */
export class ReplyError extends Error {
  /** `ERR`, `NOAUTH`, `LOADING`, … */
  get kind(): string {
    return this.message.split(" ", 1)[0] ?? "";
  }
}

export type Argument = string | number | Buffer;
export type Command = readonly Argument[];

export function encodeCommands(commands: readonly Command[]): Buffer {
  const parts: Buffer[] = [];
  for (const command of commands) {
    parts.push(Buffer.from(`*${command.length}\r\n`));
    for (const argument of command) {
      const bytes = Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument));
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
    }
  }
  return Buffer.concat(parts);
}

/** Collects bytes as they come and gives each reply once it is whole. */
export interface ReplyReader {
  /** @throws Error where the bytes are not this protocol. */
  push(bytes: Buffer): Reply[];
}

export function createReplyReader(): ReplyReader {
  let buffered: Buffer = Buffer.alloc(0);
  return {
    push(bytes) {
      buffered = buffered.length === 0 ? bytes : Buffer.concat([buffered, bytes]);
      const replies: Reply[] = [];
      let at = 0;
      for (;;) {
        const read = readReply(buffered, at);
        if (read === undefined) break;
        replies.push(read.reply);
        at = read.end;
      }
      buffered = buffered.subarray(at);
      return replies;
    },
  };
}

interface ReadReply {
  readonly reply: Reply;
  readonly end: number;
}

/** The reply that begins at `at`, or `undefined` while its bytes are not all here. */
function readReply(bytes: Buffer, at: number): ReadReply | undefined {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString("utf8", at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (bytes[at]) {
    case 0x2b: // +
      return { reply: line, end };
    case 0x2d: // -
      return { reply: new ReplyError(line), end };
    case 0x3a: // :
      return { reply: Number(line), end };
    case 0x24: // $
      return readBulk(bytes, Number(line), end);
    case 0x2a: // *
      return readArray(bytes, Number(line), end);
    default:
      throw new Error("the answer is not the Redis protocol");
  }
}

function readBulk(bytes: Buffer, length: number, start: number): ReadReply | undefined {
  if (length < 0) return { reply: null, end: start };
  const end = start + length;
  if (bytes.length < end + 2) return undefined;
  return { reply: bytes.toString("utf8", start, end), end: end + 2 };
}

function readArray(bytes: Buffer, length: number, start: number): ReadReply | undefined {
  if (length < 0) return { reply: null, end: start };
  const items: Reply[] = [];
  let end = start;
  for (let i = 0; i < length; i++) {
    const read = readReply(bytes, end);
    if (read === undefined) return undefined;
    items.push(read.reply);
    end = read.end;
  }
  return { reply: items, end };
}
