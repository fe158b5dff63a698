/**
 * What a store in the network can be in the way with, and the line that says so. Nothing that a server or a library wrote is repeated but its
 * codes: their texts may hold secrets.
 */
import { codeOf, RekindleError } from "../errors.ts";
import type { BucketPlace } from "./url.ts";

export type Trouble =
  /** Passes by itself. */
  | "away"
  | "unnamed"
  | "no credentials"
  | "credentials"
  | "clock"
  | "forbidden"
  | "no bucket"
  | "no file"
  | "full"
  | "certificate"
  | "no TLS"
  | "other";

export interface Seen {
  readonly trouble: Trouble;
  /** A code or a status, as "503 SlowDown". */
  readonly detail: string;
}

/** Where to look, in the words of one kind of store. */
export interface StoreWords {
  readonly place: BucketPlace;
  readonly endpoint: string | undefined;
  readonly credentials: string;
  readonly rights: string;
}

const passing =
  /^(ECONN|ETIMEDOUT|EPIPE|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|HPE_|ERR_STREAM_|UND_ERR_)/;
const certificate = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;

/** @returns undefined for what is no error of the network. */
export function seeNetwork(thrown: unknown): Seen | undefined {
  const code = codeOf(thrown) ?? codeOf((thrown as Error | undefined)?.cause) ?? "";
  const name = thrown instanceof Error ? thrown.name : "";
  if (code === "ETIMEDOUT" && (thrown as Error).message.startsWith("no answer"))
    return { trouble: "away", detail: (thrown as Error).message };
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return { trouble: "unnamed", detail: code };
  if (code === "EPROTO" || code.startsWith("ERR_SSL")) return { trouble: "no TLS", detail: code };
  if (certificate.test(code)) return { trouble: "certificate", detail: code };
  if (passing.test(code)) return { trouble: "away", detail: code };
  if (name === "TimeoutError") return { trouble: "away", detail: "no answer" };
  return undefined;
}

/** By its HTTP status alone. */
export function seeStatus(status: number | undefined, code: string): Seen {
  const detail = [status, /^[\w.-]{1,50}$/.test(code) ? code : ""].filter(Boolean).join(" ");
  if (status === 401) return { trouble: "credentials", detail };
  if (status === 403) return { trouble: "forbidden", detail };
  if (status === 404) return { trouble: "no file", detail };
  if (status === 507) return { trouble: "full", detail };
  const passes = status === 408 || status === 429 || (status !== undefined && status >= 500);
  return { trouble: passes && status !== 501 ? "away" : "other", detail };
}

export const canPass = ({ trouble }: Seen): boolean => trouble === "away" || trouble === "unnamed";

/** @param name of the file that this is about. */
export function explainTrouble(
  { trouble, detail }: Seen,
  words: StoreWords,
  name: string,
): RekindleError {
  const { place, endpoint, credentials, rights } = words;
  const at = endpoint === undefined ? "" : ` at ${endpoint}`;
  const only = (reason: "configuration" | "refused" | "tryAgain", what: string, hint: string) =>
    new RekindleError(reason, `${place.url}: ${what}`, { hint });
  switch (trouble) {
    case "away":
      return only(
        "tryAgain",
        `the store${at} does not get better (${detail})`,
        "see what ails it; --store-patience waits longer",
      );
    case "unnamed":
      return only(
        "tryAgain",
        `the store's host${at} has no address (${detail})`,
        "check its name in --store-endpoint, and the DNS",
      );
    case "no credentials":
      return only("configuration", "there are no credentials for it", credentials);
    case "credentials":
      return only("configuration", `the credentials are refused (${detail})`, credentials);
    case "clock":
      return only(
        "configuration",
        `the store${at} finds this machine's clock wrong (${detail})`,
        "set the clock",
      );
    case "forbidden":
      return only("configuration", `the credentials may not do this (${detail})`, rights);
    case "no bucket":
      return only(
        "configuration",
        `there is no bucket ${place.bucket}${at}`,
        "create it, or correct the URL",
      );
    case "no file":
      return new RekindleError("refused", `there is no ${name} in ${place.url}`, {
        hint: "choose another snapshot: `rekindle backups` lists them",
      });
    case "full":
      return only(
        "configuration",
        `the store is full (${detail})`,
        "raise its quota, or keep fewer snapshots",
      );
    case "certificate":
      return only(
        "configuration",
        `the certificate of the store${at} is not trusted (${detail})`,
        "name its authority's file in NODE_EXTRA_CA_CERTS",
      );
    case "no TLS":
      return only(
        "configuration",
        `the store${at} does not speak TLS as it should (${detail})`,
        "check http or https, and the port, in --store-endpoint",
      );
    case "other":
      return only(
        "configuration",
        `the store${at} refuses the request (${detail || "no reason given"})`,
        "check the --store-… settings",
      );
  }
}
