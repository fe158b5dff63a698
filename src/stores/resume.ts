/**
 * Reads a file that a store sends, and goes on at the byte where the connection broke.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Persistence, persist, withinTime } from "./persist.ts";

export interface Opened {
  readonly body: AsyncIterable<Uint8Array>;
  /** Of the whole file. */
  readonly bytes: number;
  /** Ends the connection. */
  close(): void;
}

/**
 * @param open asks for the file from this byte on.
 * @param idleMs how long a connection may bring nothing; the reader's own pauses do not count.
 */
export async function* readOn(
  open: (offset: number, signal: AbortSignal) => Promise<Opened>,
  persistence: Persistence,
  idleMs: number,
): AsyncIterable<Uint8Array> {
  const { signal, canPass, patienceMs } = persistence;
  let [offset, breaks, progressAtMs] = [0, 0, performance.now()];
  for (;;) {
    const opened = await persist((own) => open(offset, own), persistence, idleMs);
    try {
      const chunks = opened.body[Symbol.asyncIterator]();
      for (;;) {
        const { value, done } = await withinTime(() => chunks.next(), idleMs, signal);
        if (done) break;
        offset += value.length;
        breaks = 0;
        yield value;
        progressAtMs = performance.now();
      }
    } catch (thrown) {
      if (!canPass(thrown) || performance.now() - progressAtMs > patienceMs) throw thrown;
    } finally {
      opened.close();
    }
    if (offset >= opened.bytes) return;
    await pause(Math.min(5_000, 100 * 2 ** breaks++) * (1 + Math.random()), undefined, {
      ...(signal && { signal }),
    });
  }
}
