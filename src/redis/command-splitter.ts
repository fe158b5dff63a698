/**
 * A stream of commands in whole ones: as servers send them to their replicas and write them to append-only files. Pure.
 */

export interface StreamedCommand {
  /** All of it, as it came. */
  readonly bytes: Buffer;
  /** In lower case. */
  readonly name: string;
  /** Undefined where it has none. */
  readonly firstArgument: string | undefined;
}

export interface CommandSplitter {
  /** @throws Error where the bytes are no commands, or one is longer than `bytesMax`. */
  push(bytes: Buffer): StreamedCommand[];
  /** Of a command whose end has not come yet. */
  readonly heldBytes: number;
}

export function createCommandSplitter(bytesMax: number): CommandSplitter {
  let parts: Buffer[] = [];
  let heldBytes = 0;
  /** With fewer the command cannot be whole: a long one that comes in pieces is not read anew with each. */
  let neededBytes = 0;
  return {
    push(bytes) {
      parts.push(bytes);
      heldBytes += bytes.length;
      if (heldBytes < neededBytes) return [];
      const all = parts.length === 1 ? bytes : Buffer.concat(parts);
      const commands: StreamedCommand[] = [];
      let at = 0;
      neededBytes = 0;
      while (at < all.length) {
        const read = readCommand(all, at);
        if (typeof read === "number") {
          neededBytes = read - at;
          break;
        }
        commands.push(read);
        at += read.bytes.length;
      }
      const rest = all.subarray(at);
      if (Math.max(rest.length, neededBytes) > bytesMax)
        throw new Error(`a command is longer than ${bytesMax} bytes`);
      parts = rest.length === 0 ? [] : [at === 0 ? rest : Buffer.from(rest)];
      heldBytes = rest.length;
      return commands;
    },
    get heldBytes() {
      return heldBytes;
    },
  };
}

/** @returns where it must at least reach to, while it is not all here. */
function readCommand(bytes: Buffer, start: number): StreamedCommand | number {
  const head = readCount(bytes, start, 0x2a);
  if (head === undefined) return bytes.length + 1;
  let at = head.end;
  let [name, firstArgument]: (string | undefined)[] = [];
  for (let index = 0; index < head.count; index++) {
    const bulk = readCount(bytes, at, 0x24);
    if (bulk === undefined) return bytes.length + 1;
    const end = bulk.end + bulk.count + 2;
    if (end > bytes.length) return end;
    if (index === 0) name = bytes.toString("latin1", bulk.end, end - 2).toLowerCase();
    // Only short ones are looked at: a database's number, GETACK.
    if (index === 1 && bulk.count <= 16)
      firstArgument = bytes.toString("latin1", bulk.end, end - 2);
    at = end;
  }
  return { bytes: bytes.subarray(start, at), name: name ?? "", firstArgument };
}

/** `*3\r\n` or `$5\r\n`. */
function readCount(
  bytes: Buffer,
  at: number,
  sign: number,
): { count: number; end: number } | undefined {
  if (at >= bytes.length) return undefined;
  let count = 0;
  if (bytes[at] !== sign) throw new Error("the stream is not one of commands");
  for (let index = at + 1; index < Math.min(bytes.length, at + 20); index++) {
    const byte = bytes[index] ?? 0;
    if (byte === 0x0d) return index + 1 < bytes.length ? { count, end: index + 2 } : undefined;
    if (byte < 0x30 || byte > 0x39) throw new Error("the stream is not one of commands");
    count = count * 10 + byte - 0x30;
  }
  if (bytes.length >= at + 20) throw new Error("the stream is not one of commands");
  return undefined;
}
