/**
 * Snapshots in S3, or in what speaks it.
 *
 * The SDK makes one attempt a request; how often there is another is decided here, and only here.
 */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type MultipartUpload,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { RekindleError } from "../errors.ts";
import { createLink } from "./link.ts";
import { checkName, isName } from "./names.ts";
import type { Opened } from "./resume.ts";
import { seeS3 } from "./s3-errors.ts";
import { type Target, upload } from "./s3-upload.ts";
import type { StoreSettings } from "./settings.ts";
import type { Store } from "./store.ts";
import type { BucketPlace } from "./url.ts";

const removedAtOnce = 1_000;

export function createS3Store(place: BucketPlace, settings: Partial<StoreSettings>): Store {
  const { bucket: Bucket, prefix, url } = place;
  const link = createLink(settings, seeS3, {
    place,
    credentials: "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the pod's role",
    rights:
      "allow s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload, ListBucket and ListBucketMultipartUploads",
  });
  const how = howToStore(settings);
  const client = createClient(settings, link.idleMs);
  const keyOf = (name: string): string => {
    checkName(name);
    return prefix + name;
  };
  const send = <T>(request: (abortSignal: AbortSignal) => Promise<T>, signal?: AbortSignal) =>
    link.persist(request, "", { signal });

  async function* listUploads(signal?: AbortSignal): AsyncIterable<MultipartUpload> {
    let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined;
    do {
      const list = new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...after });
      const page = await send((abortSignal) => client.send(list, { abortSignal }), signal);
      yield* page.Uploads ?? [];
      const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
      after = page.IsTruncated ? { KeyMarker, UploadIdMarker } : undefined;
    } while (after !== undefined);
  }

  return {
    url,
    async write(name, content, signal) {
      const target = { Bucket, Key: keyOf(name), ...how };
      await upload(client, target, content, (request, bytes, stop) => {
        const signals = [signal, stop].filter((one) => one !== undefined);
        return link.persist(request, name, { bytes, signal: AbortSignal.any(signals) });
      });
    },
    read(name, signal) {
      const Key = keyOf(name);
      let IfMatch: string | undefined;
      async function open(offset: number, abortSignal: AbortSignal): Promise<Opened> {
        const Range = offset > 0 ? `bytes=${offset}-` : undefined;
        const get = new GetObjectCommand({ Bucket, Key, Range, IfMatch });
        const { Body, ContentLength = 0, ETag } = await client.send(get, { abortSignal });
        if (ETag === undefined) throw new Error("this is no file");
        IfMatch = ETag;
        const body = Body as Readable;
        return { body, bytes: offset + ContentLength, close: () => body.destroy() };
      }
      return link.read(name, open, signal);
    },
    async *list(begin, signal) {
      let ContinuationToken: string | undefined;
      do {
        const request = { Bucket, Prefix: prefix + begin, ContinuationToken };
        const list = new ListObjectsV2Command(request);
        const page = await send(async (abortSignal) => {
          const answer = await client.send(list, { abortSignal });
          // A page of somebody in between would else be an empty list.
          if (answer.Name === undefined) throw new Error("this is no list");
          return answer;
        }, signal);
        for (const { Key = "", Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
          const name = Key.slice(prefix.length);
          if (isName(name)) yield { name, bytes: Size, writtenAt: LastModified };
        }
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },
    async remove(names, signal) {
      const keys = names.map((name) => ({ Key: keyOf(name) }));
      for (let at = 0; at < keys.length; at += removedAtOnce) {
        const Delete = { Objects: keys.slice(at, at + removedAtOnce), Quiet: true };
        await send(async (abortSignal) => {
          const remove = new DeleteObjectsCommand({ Bucket, Delete });
          const { Errors = [] } = await client.send(remove, { abortSignal });
          const first = Errors.find(({ Code }) => Code !== "NoSuchKey");
          if (first !== undefined) throw refusal(first.Code);
        }, signal);
      }
    },
    async removeLeftovers(olderThan, signal) {
      let count = 0;
      for await (const { Key, UploadId, Initiated } of listUploads(signal)) {
        if (Initiated === undefined || Initiated >= olderThan) continue;
        const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
        await send((abortSignal) => client.send(abort, { abortSignal }), signal);
        count++;
      }
      return count;
    },
    close: () => client.destroy(),
  };
}

/** One of many files that are not removed, though the request as a whole is answered. */
const refusal = (code = "") =>
  new S3ServiceException({ name: code, $fault: "client", $metadata: { httpStatusCode: 400 } });

/** @throws RekindleError for an encryption that S3 does not have. */
function howToStore(settings: Partial<StoreSettings>): Omit<Target, "Bucket" | "Key"> {
  const { storeEncryption: encryption, storeClass } = settings;
  const [, aes, kms, key] = /^(?:(aes256)|(aws:kms)(?::(.+))?)$/i.exec(encryption ?? "") ?? [];
  if (encryption !== undefined && aes === undefined && kms === undefined)
    throw new RekindleError("configuration", `S3 has no encryption "${encryption}"`, {
      hint: "set --store-encryption to aes256, aws:kms or aws:kms:KEY",
    });
  return {
    ServerSideEncryption: kms ? "aws:kms" : aes ? "AES256" : undefined,
    SSEKMSKeyId: key,
    StorageClass: storeClass as Target["StorageClass"],
  };
}

function createClient(settings: Partial<StoreSettings>, idleMs: number): S3Client {
  const client = new S3Client({
    ...(settings.storeEndpoint && { endpoint: settings.storeEndpoint }),
    region: settings.storeRegion ?? "us-east-1",
    forcePathStyle: settings.storePathStyle ?? false,
    // A bucket in another region than the one given.
    followRegionRedirects: settings.storeEndpoint === undefined,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: Math.min(10_000, idleMs), socketTimeout: 0 },
    // Garage, Ceph, MinIO and others do not know all of the newest checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // It would cost a connection for each part. Rights are checked when an upload in parts begins.
    expectContinueHeader: false,
  });
  // Many stores know no other checksum of what DeleteObjects sends.
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const request = args.request as { headers: Record<string, string>; body: string };
        if (commandName === "DeleteObjectsCommand") {
          const kept = Object.entries(request.headers).filter(([key]) => !/checksum/.test(key));
          const md5 = createHash("md5").update(request.body).digest("base64");
          request.headers = Object.fromEntries([...kept, ["content-md5", md5]]);
        }
        return next(args);
      },
    { step: "build", priority: "low", name: "md5ForDeleteObjects" },
  );
  return client;
}
