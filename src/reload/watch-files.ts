/**
 * Files that change under us: written by an editor, or swapped as a whole by the kubelet, which renames the link `..data` beside them.
 * Folders are watched, and looked at now and then too: not every file system tells.
 */
import { type FSWatcher, lstatSync, readFileSync, statSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { digest } from "./facts.ts";
import { type Change, nextChange, settledAt } from "./settle.ts";

export interface FilesSeen {
  /** Tells one content from another; files that are missing count as such. */
  readonly fingerprint: string;
  /** When it was first seen, by the clock of `performance.now()`. */
  readonly seenAt: number;
}

export interface FileWatch {
  /** What is there now, settled or not. */
  fingerprint(): string;
  /**
   * Waits until the files are others than these, and have settled.
   *
   * @returns undefined when the time is up before, or the signal came.
   */
  next(handled: string, withinMs: number, signal?: AbortSignal): Promise<FilesSeen | undefined>;
  close(): void;
}

const pollMs = 5_000;
/** Events come in bursts. */
const eventPauseMs = 20;

/** @param find the files, asked again each time: one may include others. */
export function watchFiles(find: () => readonly string[]): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let names = new Set<string>();
  let last: Change | undefined;
  let wake = () => {};

  function rewatch(files: readonly string[]): void {
    names = new Set(files.map((file) => basename(file)));
    const folders = new Set(files.map((file) => dirname(file)));
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) if (!watchers.has(folder)) open(folder);
  }
  function open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || names.has(name) || name.startsWith("..")) wake();
        // The folder itself is gone; another may come in its place.
        if (name === basename(folder)) drop(folder);
      });
      watcher.on("error", () => drop(folder));
      watchers.set(folder, watcher);
    } catch {
      // Not there, or no more watches to be had: looking now and then has to do.
    }
  }
  function drop(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }
  function look(): { files: readonly string[]; fingerprint: string } {
    const files = find();
    rewatch(files);
    return { files, fingerprint: fingerprintOf(files) };
  }
  function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        wake = () => {};
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
      wake = () => setTimeout(done, eventPauseMs);
    });
  }

  return {
    fingerprint: () => look().fingerprint,
    async next(handled, withinMs, signal) {
      const endsAt = performance.now() + withinMs;
      for (;;) {
        const { files, fingerprint } = look();
        const now = performance.now();
        if (signal?.aborted) return undefined;
        let nextAt = Math.min(endsAt, now + pollMs);
        if (last?.fingerprint !== fingerprint) last = nextChange(last, fingerprint, now);
        if (fingerprint !== handled) {
          const dueAt = settledAt(last, files.every(isSwapped));
          if (now >= dueAt) return last;
          nextAt = dueAt;
        } else if (now >= endsAt) return undefined;
        await sleep(Math.max(1, nextAt - now), signal);
      }
    },
    close() {
      for (const folder of [...watchers.keys()]) drop(folder);
    },
  };
}

/** In a folder that the kubelet swaps as a whole. */
function isSwapped(file: string): boolean {
  const data = lstatSync(join(dirname(file), "..data"), { throwIfNoEntry: false });
  return data?.isSymbolicLink() === true;
}

function fingerprintOf(files: readonly string[]): string {
  return digest(files.map((file) => `${file} ${contentOf(file)}`).join("\n"));
}

function contentOf(file: string): string {
  try {
    return digest(readFileSync(file));
  } catch {
    return "missing";
  }
}

/** When the newest of them was written, in milliseconds since 1970. */
export const writtenAt = (files: readonly string[]): number =>
  Math.max(0, ...files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0));
