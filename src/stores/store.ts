/**
 * What every place for snapshots can do: a folder, S3 and all that speak it, Google Cloud Storage.
 */

export interface StoredFile {
  /** Relative to the store's URL, with "/" between its parts. */
  readonly name: string;
  readonly bytes: number;
  readonly writtenAt: Date;
}

/**
 * Every operation retries what can help (a slow store, 503, a connection that breaks) until its signal is aborted or the store's
 * patience ends. It holds a bounded part of a file in memory, whatever the file's size.
 *
 * @throws RekindleError "configuration" where only a person can help (credentials, no such bucket, no right), "tryAgain" where
 *   the store did not get better; both name the store's URL and what to change, and no secret.
 */
export interface Store {
  /** As given, without anything secret. */
  readonly url: string;
  /** The key's fingerprint, where what is written is encrypted on our side: for `Manifest.encryptedFor`. */
  readonly encryptedFor?: string;
  /**
   * Whole or not at all: a file is seen under its name only when all of it is there, and its size and checksum, as the store
   * has them, are those of what was sent. A file of that name is replaced.
   */
  write(name: string, content: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /**
   * Goes on where it was when the connection breaks. Files are never changed under a reader: their names are used once.
   *
   * @throws RekindleError "refused" where there is no such file.
   */
  read(name: string, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** All whose name begins so, in the order of their names. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredFile>;
  /** A file that is gone already is no error. */
  remove(names: readonly string[], signal?: AbortSignal): Promise<void>;
  /**
   * Takes away what uploads that were cut off have left (unseen by `list`): parts, temporary files.
   *
   * @returns how many.
   */
  removeLeftovers(olderThan: Date, signal?: AbortSignal): Promise<number>;
  close(): void;
}
