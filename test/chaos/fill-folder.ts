/** A disk that is full: a file takes what is left. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

export function fillFolder(dir: string): { readonly isFull: boolean; empty(): void } {
  const file = join(dir, "filler");
  const fd = openSync(file, "w");
  let why: string | undefined;
  // To the last byte: what is left over by large pieces is filled by small ones.
  for (const size of [2 ** 20, 4_096, 1]) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size, "x"));
    } catch (thrown) {
      why = (thrown as NodeJS.ErrnoException).code;
    }
  }
  closeSync(fd);
  return { isFull: why === "ENOSPC", empty: () => rmSync(file, { force: true }) };
}
