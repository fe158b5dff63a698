/**
 * A file of any size that appears whole or not at all: written under a temporary name beside its own, synced, and renamed.
 */
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../errors.ts";
import { drawNodeId, writeAll } from "../files.ts";

/** What a kill leaves is known by its name. */
export const isTemporary = (path: string): boolean =>
  /^\.rekindle-[0-9a-f]{40}\.part$/.test(basename(path));

/**
 * @param root made where it is not there, as are the folders between it and the file.
 */
export async function writeDurably(
  root: string,
  path: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { handle, temporary, top } = await openTemporary(dirname(path));
  try {
    let bytes = 0;
    for await (const chunk of content) {
      await writeAll(handle, chunk);
      bytes += chunk.length;
    }
    await handle.sync();
    const { size } = await handle.stat();
    if (size !== bytes) throw new Error(`${size} of ${bytes} bytes arrived`);
    await handle.close();
    await rename(temporary, path);
  } catch (thrown) {
    await handle.close().catch(() => {});
    await unlink(temporary).catch(() => {}); // Where even that fails it is a leftover.
    throw thrown;
  }
  await syncFolders(dirname(path), dirname(top ?? root));
}

/** @returns `top`, the uppermost folder that had to be made. */
async function openTemporary(
  folder: string,
): Promise<{ handle: FileHandle; temporary: string; top: string | undefined }> {
  const temporary = join(folder, `.rekindle-${drawNodeId()}.part`);
  for (let attempts = 1; ; attempts++) {
    const top = await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      return { handle: await open(temporary, "wx", 0o600), temporary, top };
    } catch (thrown) {
      // Somebody removed the folder, because it was empty, in between.
      if (codeOf(thrown) !== "ENOENT" || attempts === 10) throw thrown;
    }
  }
}

/** The names of the file and of the folders that lead to it are on the disk, too. */
async function syncFolders(lowest: string, highest: string): Promise<void> {
  for (let folder = lowest; ; folder = dirname(folder)) {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (folder === highest || folder === dirname(folder)) return;
  }
}
