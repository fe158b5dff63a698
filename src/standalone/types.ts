/**
 * What is known of a data folder before its server starts.
 */

import type { AofManifest } from "../redis/aof-manifest.ts";
import type { DataFiles } from "../redis/data-files.ts";
import type { RdbHeader } from "./rdb-header.ts";

/** Said by the server's own checker, or by the file's last bytes. */
export type Condition =
  /** As far as it was looked at. */
  | { readonly kind: "sound" }
  /** Only so many bytes are whole commands; what follows is the beginning of one more. */
  | { readonly kind: "short"; readonly wholeBytes: number }
  | { readonly kind: "damaged"; readonly why: string }
  /** Of a version that this server does not read. */
  | { readonly kind: "foreign" };

export interface DataFile {
  /** Within the data folder. */
  readonly name: string;
  readonly bytes: number;
  readonly writtenAtMs: number;
  /** As a whole; commands otherwise, which may begin with one. */
  readonly isSnapshot: boolean;
  /** Why this user cannot use it, in words. */
  readonly denied: string | undefined;
  /** Of a snapshot, or of the one that a file of commands begins with. */
  readonly header: RdbHeader | undefined;
  /** Undefined for what the server will not load. */
  readonly condition: Condition | undefined;
}

export interface Observation {
  readonly files: DataFiles;
  /** Whether this server keeps its append-only file in parts, in a folder (7.0). */
  readonly hasParts: boolean;
  /** `aof-load-truncated`: whether the server takes a file that was cut short. */
  readonly takesShort: boolean;
  readonly snapshot: DataFile | undefined;
  /** Append-only in one file, as up to 6.2. */
  readonly single: DataFile | undefined;
  /** Undefined where there is none, a text where it is of no use. */
  readonly manifest: AofManifest | string | undefined;
  /** What lies in the folder of the parts, but the manifest. */
  readonly parts: readonly DataFile[];
  /** Why this user cannot use that folder, or the manifest in it, in words. */
  readonly partsDenied: string | undefined;
  readonly freeBytes: number;
  /** The last start from this folder. */
  readonly lastStart: { readonly atMs: number; readonly appendonly: boolean } | undefined;
  /** What this container may take; undefined where nothing is limited. */
  readonly memoryLimitBytes: number | undefined;
}

export type Step =
  /** The snapshot becomes the beginning of the append-only file. */
  | { readonly kind: "adopt-snapshot" }
  | { readonly kind: "set-aside"; readonly names: readonly string[]; readonly why: string }
  /** What the server will cut off is kept in a file of its own. */
  | { readonly kind: "keep-tail"; readonly file: string; readonly from: number };

export type Plan =
  | { readonly kind: "refuse"; readonly reason: string; readonly hint: string }
  | {
      readonly kind: "start";
      /** What the server will load, in words. */
      readonly reason: string;
      readonly steps: readonly Step[];
      readonly warnings: readonly string[];
    };
