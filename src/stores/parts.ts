/**
 * Cuts a stream into the parts in which it is uploaded.
 *
 * Few of them are in memory: those on their way, kept to be sent again, and the next one, being filled. That bounds their size, and so,
 * a store taking 10,000, the size of a file.
 */

const MiB = 1024 * 1024;
const partsMax = 10_000;

/** Small ones at first, since most files are; a multiple of 256 KiB, which Google demands. */
export const partBytes = (index: number): number => (index < 1_000 ? 8 * MiB : 16 * MiB);

/** Of one file: 148 GiB. */
export const fileBytesMax = 1_000 * partBytes(0) + (partsMax - 1_000) * partBytes(partsMax);

export interface Part {
  /** Valid until as many further parts were asked for as there are buffers. */
  readonly bytes: Buffer;
  /** In the file. */
  readonly offset: number;
  /** There is exactly one, and it may be empty. */
  readonly isLast: boolean;
}

/**
 * @param sizeOf how long each but the last is, by its index.
 * @param buffers how many parts are in memory at most.
 */
export async function* cutIntoParts(
  content: AsyncIterable<Uint8Array>,
  sizeOf: (index: number) => number = partBytes,
  buffers = 2,
): AsyncGenerator<Part, void> {
  const ring = Array.from({ length: buffers }, (): Buffer => Buffer.alloc(0));
  let [index, offset, filled] = [0, 0, 0];
  const current = (): Buffer => ring[index % buffers] as Buffer;
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
      ring[index % buffers] = withRoom(current(), filled, filled + piece.length, size);
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

/**
 * Uploads parts while the next one is read.
 *
 * @param atOnce how many are on their way at most; the last one goes when all others have arrived.
 * @param send its signal aborts where another part failed.
 * @throws what the first that failed threw.
 */
export async function sendParts(
  content: AsyncIterable<Uint8Array>,
  atOnce: number,
  send: (part: Part, index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const parts = cutIntoParts(content, partBytes, atOnce + 1);
  const onTheirWay: Promise<void>[] = [];
  const stop = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // Heard by whoever waits next.
  let next = parts.next();
  try {
    for (let index = 0; ; index++) {
      const { value: part, done } = await Promise.race([next, failed.promise]);
      if (done || part === undefined) return;
      const isFull = onTheirWay.length === atOnce;
      const needed = part.isLast ? onTheirWay : isFull ? [onTheirWay.shift()] : [];
      await Promise.race([Promise.all(needed), failed.promise]);
      next = parts.next();
      next.catch(() => {}); // Thrown where it is awaited, unless a part's error comes first.
      const sending = send(part, index, stop.signal);
      sending.catch(failed.reject);
      if (part.isLast) await sending;
      onTheirWay.push(sending);
    }
  } catch (thrown) {
    stop.abort(thrown);
    await Promise.allSettled(onTheirWay);
    throw thrown;
  } finally {
    // What the content holds is let go, also where it does not end by itself.
    void parts.return().catch(() => {});
  }
}
