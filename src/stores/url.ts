/**
 * What a store's URL says. What it must not hold, a password above all, is refused and not repeated.
 */
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { RekindleError } from "../errors.ts";

export interface FolderPlace {
  readonly kind: "folder";
  readonly url: string;
  readonly path: string;
}

export interface BucketPlace {
  readonly kind: "s3" | "gs";
  readonly url: string;
  readonly bucket: string;
  /** "" or with a "/" at its end. */
  readonly prefix: string;
}

export type StorePlace = FolderPlace | BucketPlace;

const forms = "file:///path, s3://bucket/prefix or gs://bucket/prefix";

/** @throws RekindleError "configuration" for any other URL. */
export function parseStoreUrl(text: string): StorePlace {
  if (isAbsolute(text)) throw notAStore(text, `write file://${text} for a folder`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw notAStore(JSON.stringify(text.slice(0, 20)), `use ${forms}`);
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  if (!["file:", "s3:", "gs:"].includes(url.protocol)) throw notAStore(shown, `use ${forms}`);
  if (url.username !== "" || url.password !== "")
    throw notAStore(shown, "leave out user and password: credentials come from the environment");
  if (url.search !== "" || url.hash !== "")
    throw notAStore(shown, "leave out what follows ? and #: options are flags");
  return url.protocol === "file:" ? folderOf(url, shown) : bucketOf(url, shown);
}

function folderOf(url: URL, shown: string): StorePlace {
  if (url.host !== "")
    throw notAStore(shown, `write three slashes, as file:///${url.host}${url.pathname}`);
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch {
    throw notAStore(shown, "write the folder's path as it is, without %2F");
  }
  return { kind: "folder", url: shown, path: path.replace(/(?<=.)\/+$/, "") };
}

function bucketOf(url: URL, shown: string): StorePlace {
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(url.host))
    throw notAStore(shown, `name a bucket, as ${forms}`);
  if (!/^[\w.=+/-]*$/.test(prefix) || /(^|\/)\.*(\/|$)/.test(prefix || "a"))
    throw notAStore(shown, "use letters, digits and ._=+- in the prefix");
  return {
    kind: url.protocol === "s3:" ? "s3" : "gs",
    url: `${url.protocol}//${[url.host, prefix].filter(Boolean).join("/")}`,
    bucket: url.host,
    prefix: prefix === "" ? "" : `${prefix}/`,
  };
}

const notAStore = (shown: string, hint: string) =>
  new RekindleError("configuration", `${shown} is no store`, { hint });
