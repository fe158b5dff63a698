/**
 * A file of a snapshot as it comes, held against what its manifest says.
 */
import { createHash } from "node:crypto";
import { RekindleError } from "../errors.ts";
import { type Manifest, rdbOf, type Shard } from "../snapshots/manifest.ts";
import type { Store } from "../stores/store.ts";

/**
 * @param onBytes told how many came, as they come.
 * @throws RekindleError "refused" at its end, where size or checksum are not those of the manifest.
 */
export async function* readVerified(
  store: Store,
  { id }: Pick<Manifest, "id">,
  shard: Shard,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  const name = rdbOf(id, shard);
  let bytes = 0;
  for await (const chunk of store.read(name, signal)) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    onBytes(chunk.byteLength);
    yield chunk;
  }
  const what =
    bytes !== shard.bytes
      ? `it has ${bytes} bytes instead of ${shard.bytes}`
      : hash.digest("hex") !== shard.sha256
        ? "its checksum is another one than when it was taken"
        : undefined;
  if (what !== undefined)
    throw new RekindleError("refused", `${store.url}/${name} is damaged: ${what}`, {
      hint: "choose another snapshot: `rekindle backups --verify` tells which are sound",
    });
}
