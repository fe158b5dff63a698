/**
 * Cuts a stream into the parts in which it is uploaded.
 *
 * Two of them are in memory: one on its way, kept to be sent again, and the next one, being filled. That bounds their size, and so,
 * a store taking 10,000, the size of a file.
 */

const MiB = 1024 * 1024;
const partsMax = 10_000;

/** Small ones at first, since most files are; a multiple of 256 KiB, which Google demands. */
export const partBytes = (index: number): number => (index < 1_000 ? 8 * MiB : 24 * MiB);

/** Of one file: 218 GiB. */
export const fileBytesMax = 1_000 * partBytes(0) + (partsMax - 1_000) * partBytes(partsMax);

export interface Part {
  /** Valid until the part after the next is asked for. */
  readonly bytes: Buffer;
  /** In the file. */
  readonly offset: number;
  /** There is exactly one, and it may be empty. */
  readonly isLast: boolean;
}

/** @param sizeOf how long each but the last is, by its index. */
export async function* cutIntoParts(
  content: AsyncIterable<Uint8Array>,
  sizeOf: (index: number) => number = partBytes,
): AsyncGenerator<Part, void> {
  const buffers: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  let [index, offset, filled] = [0, 0, 0];
  const current = (): Buffer => buffers[index % 2 === 0 ? 0 : 1];
  for await (const chunk of content) {
    for (let taken = 0; taken < chunk.length; ) {
      const size = sizeOf(index);
      if (filled === size) {
        // Only now it is known not to be the last.
        yield { bytes: current().subarray(0, filled), offset, isLast: false };
        index++;
        offset += filled;
        filled = 0;
        continue;
      }
      const piece = chunk.subarray(taken, taken + size - filled);
      buffers[index % 2 === 0 ? 0 : 1] = withRoom(current(), filled, filled + piece.length, size);
      current().set(piece, filled);
      filled += piece.length;
      taken += piece.length;
    }
  }
  yield { bytes: current().subarray(0, filled), offset, isLast: true };
}

/** Doubled as it is needed: a file of a kilobyte takes no part's memory. */
function withRoom(buffer: Buffer, filled: number, needed: number, most: number): Buffer {
  if (buffer.length >= needed) return buffer;
  const larger = Buffer.allocUnsafeSlow(
    Math.min(most, Math.max(needed, 2 * buffer.length, 64 * 1024)),
  );
  buffer.copy(larger, 0, 0, filled);
  return larger;
}

/** Uploads each part while the next one is read. */
export async function sendParts(
  parts: AsyncGenerator<Part, void>,
  send: (part: Part, index: number) => Promise<void>,
): Promise<void> {
  let next = parts.next();
  try {
    for (let index = 0; ; index++) {
      const { value: part, done } = await next;
      if (done || part === undefined) return;
      next = parts.next();
      next.catch(() => {}); // Thrown where it is awaited, unless this part's error comes first.
      await send(part, index);
    }
  } finally {
    // What the content holds is let go, also where it does not end by itself.
    void parts.return().catch(() => {});
  }
}
