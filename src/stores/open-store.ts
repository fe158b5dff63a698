/**
 * Opens the store that a URL names. What a kind of store needs is loaded only when it is used.
 */
import { createFolderStore } from "./folder.ts";
import type { StoreSettings } from "./settings.ts";
import type { Store } from "./store.ts";
import { parseStoreUrl } from "./url.ts";

/**
 * @param url `file:///path`, `s3://bucket/prefix` or `gs://bucket/prefix`.
 * @param settings those of `storeSettingDescriptions`; what is left out has its default.
 * @throws RekindleError "configuration" for any other URL. The store itself is not asked yet.
 */
export async function openStore(
  url: string,
  settings: Partial<StoreSettings> = {},
): Promise<Store> {
  const place = parseStoreUrl(url);
  if (settings.encryptionKeyFile !== undefined) throw new Error("encryption is not there yet");
  if (place.kind === "folder") return createFolderStore(place.path, place.url);
  throw new Error(`${place.kind} is not there yet`);
}
