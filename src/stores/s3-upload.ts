/**
 * One file into S3: at once where it is small, else in parts. Every part is checked against the store's checksum.
 *
 * The library's own uploader keeps more parts in memory, makes all of one size, and checks no checksum that a store without the newest
 * headers has. Here a part's MD5 goes with it, which every store checks, and must come back as its ETag where that is one; the body's
 * SHA-256 is part of the request's signature.
 */
import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type PutObjectCommandOutput,
  type S3Client,
  UploadPartCommand,
  type UploadPartCommandOutput,
} from "@aws-sdk/client-s3";
import { RekindleError } from "../errors.ts";
import type { Persist } from "./link.ts";
import { fileBytesMax, type Part, sendParts } from "./parts.ts";

export type Target = Pick<
  PutObjectCommandInput,
  "Bucket" | "Key" | "ServerSideEncryption" | "SSEKMSKeyId" | "StorageClass"
>;

/** The store has other bytes than were sent: damaged on their way, they may arrive whole. */
class Damaged extends Error {
  override readonly name = "BadDigest";
}

/** One is taken in by the store while the next one is on its way to it; a third would only cost memory. */
const partsAtOnce = 2;

/** Putting many parts together may take a store minutes: as long as moving so much. */
const completedAsBytes = 32 * 1024 * 1024;

export async function upload(
  client: S3Client,
  target: Target,
  content: AsyncIterable<Uint8Array>,
  persist: Persist,
): Promise<void> {
  const many = createMultipart(client, target, persist);
  try {
    await sendParts(content, partsAtOnce, async (part, index, stop) => {
      if (part.isLast && index === 0) await putWhole(client, target, part, persist);
      else await many.send(part, index, stop);
    });
  } catch (thrown) {
    await many.abort();
    throw thrown;
  }
}

async function putWhole(client: S3Client, target: Target, { bytes }: Part, persist: Persist) {
  const md5 = createHash("md5").update(bytes).digest();
  await persist(async (abortSignal) => {
    const ContentMD5 = md5.toString("base64");
    const put = new PutObjectCommand({ ...target, Body: bytes, ContentMD5 });
    const answer = await client.send(put, { abortSignal });
    if (isMd5(answer)) checkEtag(answer.ETag, md5.toString("hex"));
    else await checkSize(client, target, bytes.length, abortSignal);
  }, bytes.length);
}

function createMultipart(client: S3Client, target: Target, persist: Persist) {
  const { Bucket, Key } = target;
  const parts: CompletedPart[] = [];
  const md5s: Buffer[] = [];
  let begun: Promise<string | undefined> | undefined;
  let allMd5 = true;

  const begin = (): Promise<string | undefined> =>
    persist(async (abortSignal) => {
      const create = new CreateMultipartUploadCommand(target);
      return (await client.send(create, { abortSignal })).UploadId;
    });

  async function complete(bytes: number): Promise<void> {
    const UploadId = await begun;
    const upload = { Bucket, Key, UploadId, MultipartUpload: { Parts: parts } };
    await persist(async (abortSignal) => {
      try {
        await client.send(new CompleteMultipartUploadCommand(upload), { abortSignal });
      } catch (thrown) {
        // An earlier attempt may have done it, its answer lost. What is there tells.
        if ((thrown as Error).name !== "NoSuchUpload") throw thrown;
      }
    }, completedAsBytes);
    const ofParts = createHash("md5").update(Buffer.concat(md5s)).digest("hex");
    try {
      await persist(async (signal) => {
        const etag = await checkSize(client, target, bytes, signal);
        const isComposite = allMd5 && /^"[0-9a-f]{32}-\d+"$/.test(etag);
        if (isComposite) checkEtag(etag, `${ofParts}-${parts.length}`);
      });
    } catch (thrown) {
      // It is not what was sent. Where even this fails, no manifest will name it.
      await bestEffort(client.send(new DeleteObjectCommand({ Bucket, Key }), soon()));
      throw thrown;
    }
  }
  return {
    async send(part: Part, index: number, stop: AbortSignal): Promise<void> {
      const { bytes, offset, isLast } = part;
      if (offset + bytes.length > fileBytesMax) throw tooLarge(Key);
      begun ??= begin();
      const UploadId = await begun;
      const PartNumber = index + 1;
      const md5 = createHash("md5").update(bytes).digest();
      const ETag = await persist(
        async (abortSignal) => {
          const ContentMD5 = md5.toString("base64");
          const one = { Bucket, Key, UploadId, PartNumber, Body: bytes, ContentMD5 };
          const answer = await client.send(new UploadPartCommand(one), { abortSignal });
          if (isMd5(answer)) checkEtag(answer.ETag, md5.toString("hex"));
          else allMd5 = false;
          return answer.ETag;
        },
        bytes.length,
        stop,
      );
      parts[index] = { PartNumber, ETag };
      md5s[index] = md5;
      if (isLast) await complete(offset + bytes.length);
    },
    /** Best effort: what stays is a leftover. */
    async abort(): Promise<void> {
      const UploadId = await begun?.catch(() => undefined);
      if (UploadId === undefined) return;
      await bestEffort(
        client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), soon()),
      );
    },
  };
}

const soon = () => ({ abortSignal: AbortSignal.timeout(10_000) });

const bestEffort = (work: Promise<unknown>): Promise<unknown> => work.catch(() => {});

/** With keys of a key service an ETag is random. */
const isMd5 = (answer: UploadPartCommandOutput | PutObjectCommandOutput): boolean =>
  /^"?[0-9a-f]{32}"?$/.test(answer.ETag ?? "") &&
  !answer.ServerSideEncryption?.startsWith("aws:kms");

function checkEtag(etag: string | undefined, expected: string): void {
  if (etag?.replaceAll('"', "") !== expected) throw new Damaged("the checksums differ");
}

async function checkSize(
  client: S3Client,
  { Bucket, Key }: Target,
  bytes: number,
  abortSignal: AbortSignal,
): Promise<string> {
  const head = await client
    .send(new HeadObjectCommand({ Bucket, Key }), { abortSignal })
    .catch((thrown: Error) => {
      throw thrown.name === "NotFound" ? new Damaged("it is not there") : thrown;
    });
  if (head.ContentLength !== bytes) throw new Damaged("the sizes differ");
  return head.ETag ?? "";
}

const tooLarge = (name: string | undefined) =>
  new RekindleError("configuration", `${name} is larger than 148 GiB`, {
    hint: "spread the data over more alphas",
  });
