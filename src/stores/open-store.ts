/**
 * Opens the store that a URL names. What a kind of store needs is loaded only when it is used.
 */
import { isSea } from "node:sea";
import { RekindleError } from "../errors.ts";
import { loadAsset } from "../load-asset.ts";
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
  return key ? (await import("./encrypted.ts")).encryptStore(store, key) : store;
}

async function openPlace(place: StorePlace, settings: Partial<StoreSettings>): Promise<Store> {
  switch (place.kind) {
    case "folder":
      if (settings.storeEncryption !== undefined)
        throw new RekindleError("configuration", `${place.url}: a folder encrypts nothing`, {
          hint: "leave out --store-encryption, or use --encryption-key-file",
        });
      return createFolderStore(place.path, place.url);
    case "s3":
      return (await loadS3()).createS3Store(place, settings);
    case "gs":
      return (await loadGcs()).createGcsStore(place, settings);
  }
}

type S3 = typeof import("./s3.ts");
type Gcs = typeof import("./gcs.ts");

// Each is a bundle of its own: most boots need none, and nobody needs both.
const loadS3 = async (): Promise<S3> => (isSea() ? loadAsset("stores-s3.cjs") : import("./s3.ts"));
const loadGcs = async (): Promise<Gcs> =>
  isSea() ? loadAsset("stores-gcs.cjs") : import("./gcs.ts");
