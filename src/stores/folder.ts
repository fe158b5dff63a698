/**
 * Snapshots in a folder: on another disk, or on what is mounted there.
 *
 * Whatever begins with a dot is none of the stored files: temporary files do, and what other programs hide.
 */
import { createReadStream } from "node:fs";
import { readdir, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf, RekindleError } from "../errors.ts";
import { abortable } from "./abortable.ts";
import { isTemporary, writeDurably } from "./durable-file.ts";
import { checkName, isName } from "./names.ts";
import type { Store } from "./store.ts";

/** @param root made when the first file is written; one that is not there holds no file. */
export function createFolderStore(root: string, url: string): Store {
  const explain = (thrown: unknown): unknown => explainError(thrown, url);
  const pathOf = (name: string): string => {
    checkName(name);
    return join(root, name);
  };
  async function remove(path: string): Promise<void> {
    await unlessGone(unlink(path));
    await removeEmptyFolders(dirname(path), root);
  }

  return {
    url,
    async write(name, content, signal) {
      try {
        await writeDurably(root, pathOf(name), abortable(content, signal));
      } catch (thrown) {
        throw explain(thrown);
      }
    },
    async *read(name, signal) {
      const path = pathOf(name);
      try {
        for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
          signal?.throwIfAborted();
          yield chunk;
        }
      } catch (thrown) {
        if (codeOf(thrown) !== "ENOENT") throw explain(thrown);
        throw new RekindleError("refused", `there is no ${name} in ${url}`, {
          hint: "choose another snapshot: `rekindle backups` lists them",
          cause: thrown,
        });
      }
    },
    async *list(prefix, signal) {
      try {
        for await (const name of walk(root, "", prefix)) {
          signal?.throwIfAborted();
          const found = isName(name) ? await unlessGone(stat(join(root, name))) : undefined;
          if (found) yield { name, bytes: found.size, writtenAt: found.mtime };
        }
      } catch (thrown) {
        throw explain(thrown);
      }
    },
    async remove(names, signal) {
      try {
        for (const path of names.map(pathOf)) {
          signal?.throwIfAborted();
          await remove(path);
        }
      } catch (thrown) {
        throw explain(thrown);
      }
    },
    async removeLeftovers(olderThan, signal) {
      let count = 0;
      try {
        for await (const name of walk(root, "", "")) {
          signal?.throwIfAborted();
          const path = join(root, name);
          if (!isTemporary(path)) continue;
          const found = await unlessGone(stat(path));
          if (found === undefined || found.mtime >= olderThan) continue;
          await remove(path);
          count++;
        }
      } catch (thrown) {
        throw explain(thrown);
      }
      return count;
    },
    close() {},
  };
}

/** The files below, by their names within the store, in order. */
async function* walk(folder: string, before: string, prefix: string): AsyncIterable<string> {
  const entries = (await unlessGone(readdir(folder, { withFileTypes: true }))) ?? [];
  // What is in a folder has a "/" after the folder's name: "a.b" comes before "a/b".
  const names = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => `${before}${entry.name}${entry.isDirectory() ? "/" : ""}`);
  for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
    if (!name.endsWith("/")) {
      if (name.startsWith(prefix)) yield name;
    } else if (name.startsWith(prefix) || prefix.startsWith(name))
      yield* walk(join(folder, name.slice(before.length)), name, prefix);
  }
}

/** Others may remove files while this one looks. */
async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
    return undefined;
  }
}

async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let lowest = folder; lowest !== root; lowest = dirname(lowest)) {
    try {
      await rmdir(lowest);
    } catch (thrown) {
      if (codeOf(thrown) !== "ENOENT") return; // Not empty, as a rule.
    }
  }
}

const explanations: Readonly<Record<string, readonly [string, string]>> = {
  ENOSPC: ["the disk is full", "make room, or keep fewer snapshots"],
  EDQUOT: ["the disk quota is used up", "make room, or keep fewer snapshots"],
  EACCES: ["this user may not use the folder", "let this user read and write it"],
  EPERM: ["this user may not use the folder", "let this user read and write it"],
  EROFS: ["the disk is mounted read-only", "mount it for writing"],
  ENOTDIR: ["a part of its path is no folder", "correct the path"],
  EISDIR: ["a folder lies where a file should be", "move it away"],
  ENAMETOOLONG: ["its path is too long", "choose a shorter one"],
  ELOOP: ["its links lead in a circle", "correct the path"],
  EIO: ["the disk has an error", "look into the machine's log"],
  ESTALE: ["the mount has gone stale", "mount it again"],
};

/** One line where the file system says what a person can mend. */
function explainError(thrown: unknown, url: string): unknown {
  const [what, hint] = explanations[codeOf(thrown) ?? ""] ?? [];
  if (what === undefined || hint === undefined) return thrown;
  return new RekindleError("configuration", `${url}: ${what}`, { hint, cause: thrown });
}
