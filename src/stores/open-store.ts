/**
 * Opens the store that a URL names. What a kind of store needs is loaded only when it is used.
 */
import { encryptStore } from "./encrypted.ts";
import { readEncryptionKey } from "./encryption-key.ts";
import { createFolderStore } from "./folder.ts";
import type { StoreSettings } from "./settings.ts";
import type { Store } from "./store.ts";
import { parseStoreUrl, type StorePlace } from "./url.ts";

/**
 * @param url `file:///path`, `s3://bucket/prefix` or `gs://bucket/prefix`.
 * @param settings those of `storeSettingDescriptions`; what is left out has its default.
 * @throws RekindleError "configuration" for any other URL, and for a key that cannot be used. The store itself is not asked yet.
 */
export async function openStore(
  url: string,
  settings: Partial<StoreSettings> = {},
): Promise<Store> {
  const place = parseStoreUrl(url);
  const key = settings.encryptionKeyFile && readEncryptionKey(settings.encryptionKeyFile);
  const store = await openPlace(place, settings);
  return key ? encryptStore(store, key) : store;
}

async function openPlace(place: StorePlace, settings: Partial<StoreSettings>): Promise<Store> {
  if (place.kind === "folder") return createFolderStore(place.path, place.url);
  if (place.kind === "s3") return (await import("./s3.ts")).createS3Store(place, settings);
  return (await import("./gcs.ts")).createGcsStore(place, settings);
}
