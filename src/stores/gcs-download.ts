/**
 * A file from Google Cloud Storage, from some byte on.
 *
 * Its client's own stream adds listeners with every read, and knows no deadline: only its credentials are used.
 */
import type { Bucket } from "@google-cloud/storage";
import { Answered } from "./gcs-errors.ts";
import type { Opened } from "./resume.ts";

export interface Version {
  readonly key: string;
  readonly generation: string;
  readonly bytes: number;
}

/** @param withCredentials false for an emulator. */
export async function download(
  bucket: Bucket,
  { key, generation, bytes }: Version,
  offset: number,
  withCredentials: boolean,
  signal: AbortSignal,
): Promise<Opened> {
  // An empty file has no first byte to ask for.
  if (bytes === 0) return { body: nothing(), bytes, close() {} };
  const { apiEndpoint, authClient } = bucket.storage;
  const path = `/storage/v1/b/${bucket.name}/o/${encodeURIComponent(key)}`;
  const url = `${apiEndpoint}${path}?alt=media&generation=${generation}`;
  const headers = withCredentials ? await authClient.getRequestHeaders(url) : new Headers();
  headers.set("range", `bytes=${offset}-`);
  headers.set("accept-encoding", "identity");
  const own = new AbortController();
  const answer = await fetch(url, { headers, signal: AbortSignal.any([signal, own.signal]) });
  if (answer.ok && answer.body !== null)
    return { body: answer.body, bytes, close: () => own.abort() };
  own.abort();
  throw new Answered(answer.status);
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}
