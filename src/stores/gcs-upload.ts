/**
 * One file into Google Cloud Storage, as a resumable upload.
 *
 * The client opens the session. What follows is done here: its own upload gives up ten minutes after its beginning at the first error,
 * however well it went, and has no deadline for a request that hangs.
 */
import { createHash } from "node:crypto";
import type { File } from "@google-cloud/storage";
import { RekindleError } from "../errors.ts";
import { Answered } from "./gcs-errors.ts";
import type { Persist } from "./link.ts";
import { cutIntoParts, type Part, sendParts } from "./parts.ts";
import { sweeping } from "./sweep.ts";

/** What the store knows of a file. */
interface Stored {
  readonly size?: string;
  readonly md5Hash?: string;
}

/** How far an upload is: the bytes that the store has, or the whole file. */
type Progress = { readonly persisted: number } | { readonly whole: Stored };

export async function uploadToGcs(
  file: File,
  metadata: { readonly storageClass: string | undefined },
  content: AsyncIterable<Uint8Array>,
  persist: Persist,
  url: string,
): Promise<void> {
  const md5 = createHash("md5");
  let bytes = 0;
  let session: string | undefined;
  let stored: Stored | undefined;
  await sendParts(cutIntoParts(sweeping(content)), async (part) => {
    md5.update(part.bytes);
    bytes += part.bytes.length;
    session ??= await persist(async () => (await file.createResumableUpload({ metadata }))[0]);
    stored = await sendPart(session, part, persist, url);
  });
  if (Number(stored?.size) === bytes && stored?.md5Hash === md5.digest("base64")) return;
  // Where even this fails, no manifest will name it.
  await persist(() => file.delete({ ignoreNotFound: true }));
  throw new RekindleError("tryAgain", `${url}: what arrived in the store is not what was sent`, {
    hint: "see what lies between it and this machine",
  });
}

/** @returns what the store knows of the file, once that is whole. */
async function sendPart(
  session: string,
  { bytes, offset, isLast }: Part,
  persist: Persist,
  url: string,
): Promise<Stored | undefined> {
  const end = offset + bytes.length;
  const total = isLast ? end : "*";
  let from = offset;
  let mustAsk = false;

  async function attempt(signal: AbortSignal): Promise<Progress> {
    if (mustAsk) {
      const progress = await put(session, `bytes */${total}`, undefined, signal);
      if ("whole" in progress) return progress;
      from = progress.persisted;
    }
    if (from < offset)
      throw new RekindleError("tryAgain", `${url}: the store has lost a part of the upload`);
    if (from === end && !isLast) return { persisted: from };
    mustAsk = true;
    const range = from === end ? `bytes */${total}` : `bytes ${from}-${end - 1}/${total}`;
    const progress = await put(session, range, bytes.subarray(from - offset), signal);
    // It may keep less than it was sent; with nothing it counts as an answer that was lost.
    if ("persisted" in progress && progress.persisted <= from) throw new Answered(503);
    mustAsk = false;
    return progress;
  }
  for (;;) {
    const progress = await persist(attempt, bytes.length);
    if ("whole" in progress) return progress.whole;
    from = progress.persisted;
    if (from === end && !isLast) return undefined;
  }
}

/** A session's address is a secret: it is never told. */
async function put(
  session: string,
  range: string,
  body: Buffer | undefined,
  signal: AbortSignal,
): Promise<Progress> {
  const headers = { "content-range": range };
  const answer = await fetch(session, {
    method: "PUT",
    headers,
    body: body ?? Buffer.alloc(0),
    signal,
    redirect: "manual", // 308 is "go on" here.
  });
  if (answer.status === 308) {
    await answer.arrayBuffer();
    const last = /-(\d+)$/.exec(answer.headers.get("range") ?? "")?.[1];
    return { persisted: last === undefined ? 0 : Number(last) + 1 };
  }
  if (answer.ok) return { whole: (await answer.json()) as Stored };
  await answer.arrayBuffer();
  throw new Answered(answer.status);
}
