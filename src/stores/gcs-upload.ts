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
import { type Part, sendParts } from "./parts.ts";
import { put } from "./put.ts";

interface Session {
  /** A secret: whoever knows it may go on with the upload. */
  readonly address: string;
  /** The store's. */
  readonly url: string;
}

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
  let session: Session | undefined;
  let stored: Stored | undefined;
  // One after the other, as Google wants them.
  await sendParts(content, 1, async (part) => {
    md5.update(part.bytes);
    bytes += part.bytes.length;
    session ??= await persist(async () => {
      const [address] = await file.createResumableUpload({ metadata });
      if (!URL.canParse(address)) throw new Error("this is no session");
      return { address, url };
    });
    stored = await sendPart(session, part, persist);
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
  session: Session,
  { bytes, offset, isLast }: Part,
  persist: Persist,
): Promise<Stored | undefined> {
  const end = offset + bytes.length;
  const total = isLast ? end : "*";
  let from = offset;
  let mustAsk = false;

  async function attempt(signal: AbortSignal): Promise<Progress> {
    if (mustAsk) {
      const progress = await putRange(session, `bytes */${total}`, Buffer.alloc(0), signal);
      if ("whole" in progress) return progress;
      from = progress.persisted;
    }
    if (from < offset) throw lost(session);
    if (from === end && !isLast) return { persisted: from };
    mustAsk = true;
    const range = from === end ? `bytes */${total}` : `bytes ${from}-${end - 1}/${total}`;
    const progress = await putRange(session, range, bytes.subarray(from - offset), signal);
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

async function putRange(
  session: Session,
  range: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<Progress> {
  const wanted = { "content-range": range };
  const { status, headers, body } = await put(session.address, wanted, bytes, signal);
  if (status === 308) {
    const last = /-(\d+)$/.exec(headers.range ?? "")?.[1];
    return { persisted: last === undefined ? 0 : Number(last) + 1 };
  }
  if (status === 404 || status === 410) throw lost(session);
  if (status < 200 || status > 299) throw new Answered(status);
  return { whole: JSON.parse(body) as Stored };
}

const lost = ({ url }: Session) =>
  new RekindleError("tryAgain", `${url}: the store has lost an upload that was under way`);
