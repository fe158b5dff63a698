/**
 * Files that appear whole or not at all.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, messageOf, RekindleError } from "./errors.ts";

/**
 * Writes beside the target, syncs, and renames over it; a kill at any moment leaves the old file or the new one.
 *
 * @param isDurable false for what the loss of the machine may take: nothing waits for the disk.
 */
export function writeWhole(path: string, text: string, mode: number, isDurable = true): void {
  const temporary = `${path}.${process.pid}.new`;
  const fd = openSync(temporary, "w", mode);
  try {
    writeSync(fd, text);
    if (isDurable) fsyncSync(fd);
  } catch (thrown) {
    unlinkSync(temporary);
    throw thrown;
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  if (isDurable) sync(dirname(path));
}

/** What a file holds, or which names a folder has, is on the disk when this returns. */
export function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A write may take a part only. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at);
    at += bytesWritten;
  }
}

/** What something is called that is not deleted, and in nobody's way any more. */
export const asideName = (name: string, now: Date, why = "set-aside"): string =>
  `${name}.${why}-${now.toISOString().replace(/[:.]/g, "-")}`;

/** 40 random hexadecimal digits, as a cluster node's id. Read from the system; loading node:crypto costs 4 ms. */
export function drawNodeId(): string {
  const bytes = Buffer.alloc(20);
  const fd = openSync("/dev/urandom", "r");
  try {
    readSync(fd, bytes); // Up to 256 bytes come whole (random(4)).
  } finally {
    closeSync(fd);
  }
  return bytes.toString("hex");
}

/** The text of a file, or `undefined` where there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw thrown;
  }
}

export function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (thrown) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(codeOf(thrown) ?? "")) throw thrown;
  }
}

/**
 * The bytes of a file that a setting names.
 *
 * @param what it is, for the message.
 * @throws RekindleError where it cannot be read.
 */
export function readGiven(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw new RekindleError(
      "configuration",
      `${what} ${path} cannot be read: ${messageOf(thrown)}`,
      {
        hint: "check the path, and that this user may read it",
        cause: thrown,
      },
    );
  }
}
