/**
 * A small file of a store at once.
 */
import type { Store } from "./store.ts";

export async function readAll(store: Store, name: string, signal?: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.read(name, signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}
