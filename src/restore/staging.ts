/**
 * Where a restore is written before it counts, inside of the data folder: one rename makes it whole.
 *
 * Cut off before that rename, what is there is taken away by the next boot; cut off after it, the next boot moves the rest into
 * place. Nothing in between ever starts as if it were the data.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { asideName, removeIfEmpty, sync, writeWhole } from "../files.ts";
import type { Log } from "../log.ts";

const unfinished = "rekindle-restoring";
const whole = "rekindle-restored";

/** An empty folder to restore into. */
export function openStaging(dir: string): string {
  const folder = join(dir, unfinished);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

export function dropStaging(dir: string): void {
  rmSync(join(dir, unfinished), { recursive: true, force: true });
}

/** @param beside further files, by their names, that appear together with the data. */
export function commitStaging(dir: string, beside: Readonly<Record<string, string>>): void {
  const folder = join(dir, unfinished);
  for (const [name, text] of Object.entries(beside)) writeWhole(join(folder, name), text, 0o600);
  sync(folder);
  renameSync(folder, join(dir, whole));
  sync(dir);
  moveIntoPlace(dir);
}

/**
 * Called before anything else reads the folder: takes away what a restore that was cut off has left, or, where only the last
 * renames were missing, carries it to its end.
 */
export function settleRestore(dir: string, log: Log): void {
  if (existsSync(join(dir, unfinished))) {
    log.warn("action", "a restore was cut off; what it has left is taken away");
    dropStaging(dir);
  }
  if (!existsSync(join(dir, whole))) return;
  log.warn("action", "a restore was cut off at its very end; it is carried through");
  moveIntoPlace(dir);
}

function moveIntoPlace(dir: string): void {
  const now = new Date();
  for (const name of readdirSync(join(dir, whole))) {
    // Files without a key may be there, of a server that never had one.
    if (existsSync(join(dir, name))) renameSync(join(dir, name), join(dir, asideName(name, now)));
    renameSync(join(dir, whole, name), join(dir, name));
  }
  sync(dir);
  removeIfEmpty(join(dir, whole));
}
