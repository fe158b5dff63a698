/**
 * Small files of a store, each at once.
 */
import type { Store } from "./store.ts";

export async function readAll(store: Store, name: string, signal?: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.read(name, signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** @see Store.write */
export async function writeAtOnce(
  store: Store,
  name: string,
  content: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  async function* once() {
    yield content;
  }
  await store.write(name, once(), signal);
}
