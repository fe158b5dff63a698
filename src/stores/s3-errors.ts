/** What an answer of S3, or of what speaks it, means. */
import { type Seen, seeNetwork, seeStatus, type Trouble } from "./trouble.ts";

const troubles: Readonly<Record<string, Trouble>> = {
  CredentialsProviderError: "no credentials",
  TokenProviderError: "no credentials",
  AccessDenied: "forbidden",
  InvalidAccessKeyId: "credentials",
  SignatureDoesNotMatch: "credentials",
  InvalidSecurity: "credentials",
  InvalidToken: "credentials",
  ExpiredToken: "credentials",
  TokenRefreshRequired: "credentials",
  InvalidClientTokenId: "credentials",
  UnrecognizedClientException: "credentials",
  RequestTimeTooSkewed: "clock",
  RequestExpired: "clock",
  NoSuchBucket: "no bucket",
  InvalidBucketName: "no bucket",
  NoSuchKey: "no file",
  QuotaExceeded: "full",
  StorageFull: "full",
  XMinioStorageFull: "full",
  XMinioAdminBucketQuotaExceeded: "full",
  InsufficientStorage: "full",
  // What was damaged on its way, or came late, may arrive whole.
  BadDigest: "away",
  XAmzContentSHA256Mismatch: "away",
  IncompleteBody: "away",
  RequestTimeout: "away",
  SlowDown: "away",
  Throttling: "away",
  OperationAborted: "away",
  InternalError: "away",
};

export function seeS3(thrown: unknown): Seen {
  const {
    name = "",
    message = "",
    $metadata,
  } = thrown as {
    name?: string;
    message?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const detail = [status, name].filter(Boolean).join(" ");
  // Garage says it so; nothing of the text is repeated.
  if (status === 403 && /quota/i.test(message)) return { trouble: "full", detail };
  const trouble = troubles[name];
  if (trouble !== undefined) return { trouble, detail };
  const seen = status === undefined ? seeNetwork(thrown) : undefined;
  if (seen !== undefined) return seen;
  // A server that speaks HTML, or breaks off in its XML, is a proxy in trouble.
  if (status === undefined || status === 200) return { trouble: "away", detail: "no valid answer" };
  return seeStatus(status, name);
}
