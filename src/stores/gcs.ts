/**
 * Snapshots in Google Cloud Storage, through Google's client with the application default credentials.
 *
 * The client makes one attempt a request; how often there is another is decided in `link.ts`, as for S3.
 */
import { type Bucket, type FileMetadata, Storage } from "@google-cloud/storage";
import { abortable } from "./abortable.ts";
import { download, type Version } from "./gcs-download.ts";
import { seeGcs } from "./gcs-errors.ts";
import { uploadToGcs } from "./gcs-upload.ts";
import { createLink } from "./link.ts";
import { checkName, isName } from "./names.ts";
import type { Opened } from "./resume.ts";
import type { StoreSettings } from "./settings.ts";
import type { Store } from "./store.ts";
import type { BucketPlace } from "./url.ts";

const removedAtOnce = 16;

export function createGcsStore(place: BucketPlace, settings: Partial<StoreSettings>): Store {
  const { prefix, url } = place;
  const link = createLink(settings, seeGcs, {
    place,
    credentials: "name a key file in GOOGLE_APPLICATION_CREDENTIALS, or give the pod an identity",
    rights: "give them the role Storage Object User on the bucket",
  });
  const bucket = openBucket(place.bucket, settings, link.idleMs);
  const isEmulator = settings.storeEndpoint !== undefined;
  const fileOf = (name: string, options = {}) => {
    checkName(name);
    return bucket.file(prefix + name, options);
  };

  return {
    url,
    async write(name, content, signal) {
      const { storeEncryption: kmsKeyName, storeClass: storageClass } = settings;
      const file = fileOf(name, kmsKeyName === undefined ? {} : { kmsKeyName });
      await uploadToGcs(
        file,
        { storageClass },
        abortable(content, signal),
        (request, bytes) => link.persist(request, name, { bytes, signal }),
        url,
      );
    },
    read(name, signal) {
      const file = fileOf(name);
      let version: Version | undefined;
      async function open(offset: number, abort: AbortSignal): Promise<Opened> {
        version ??= versionOf(file.name, (await file.getMetadata())[0]);
        return download(bucket, version, offset, !isEmulator, abort);
      }
      return link.read(name, open, signal);
    },
    async *list(begin, signal) {
      let query: object | null = { prefix: prefix + begin, maxResults: 1_000, autoPaginate: false };
      while (query !== null) {
        const asked: object = query;
        const [files, next] = await link.persist(() => bucket.getFiles(asked), "", { signal });
        for (const { name: key, metadata } of files) {
          const name = key.slice(prefix.length);
          const writtenAt = new Date(metadata.updated ?? 0);
          if (isName(name)) yield { name, bytes: Number(metadata.size), writtenAt };
        }
        query = next;
      }
    },
    async remove(names, signal) {
      const files = names.map((name) => fileOf(name));
      for (let at = 0; at < files.length; at += removedAtOnce)
        await Promise.all(
          files
            .slice(at, at + removedAtOnce)
            .map((file) =>
              link.persist(() => file.delete({ ignoreNotFound: true }), file.name, { signal }),
            ),
        );
    },
    /** Google forgets them after a week by itself, and lists them to nobody. */
    removeLeftovers: () => Promise.resolve(0),
    close() {},
  };
}

const versionOf = (key: string, { generation, size }: FileMetadata): Version => ({
  key,
  generation: String(generation),
  bytes: Number(size),
});

function openBucket(name: string, settings: Partial<StoreSettings>, timeout: number): Bucket {
  const { storeEndpoint } = settings;
  const storage = new Storage({
    retryOptions: { autoRetry: false, maxRetries: 0 },
    timeout,
    // An emulator has no project, and is asked without credentials.
    ...(storeEndpoint !== undefined && { apiEndpoint: storeEndpoint, projectId: "emulated" }),
  });
  return storage.bucket(name);
}
