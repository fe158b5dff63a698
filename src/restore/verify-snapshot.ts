/**
 * Whether a snapshot is good: every file is what its manifest says, and a real server loads it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RekindleError } from "../errors.ts";
import { parseInfo } from "../redis/info.ts";
import { startThrowAwayServer } from "../redis/throw-away-server.ts";
import type { Manifest, Shard } from "../snapshots/manifest.ts";
import type { Store } from "../stores/store.ts";
import { findMissingKey } from "./plan-from-store.ts";
import { readVerified } from "./verified.ts";

/**
 * @param serverPath the executable that loads it, for a moment and reachable by nobody else.
 * @returns how many keys each shard holds.
 * @throws RekindleError "refused" for the first file that is not good.
 */
export async function verifySnapshot(
  store: Store,
  manifest: Manifest,
  serverPath: string,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const locked = findMissingKey(store, manifest);
  if (locked) throw new RekindleError("refused", locked.reason, { hint: locked.hint });
  const folder = mkdtempSync(join(tmpdir(), "rekindle-verify-"));
  const counts: number[] = [];
  try {
    for (const shard of manifest.shards)
      counts.push(await countKeys(store, manifest, shard, serverPath, folder, signal));
    return counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function countKeys(
  store: Store,
  manifest: Manifest,
  shard: Shard,
  serverPath: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const dbfilename = "verify.rdb";
  {
    await using file = await open(join(folder, dbfilename), "w", 0o600);
    for await (const chunk of readVerified(store, manifest, shard, () => {}, signal))
      await file.writeFile(chunk);
  }
  await using server = await startThrowAwayServer(serverPath, folder, {
    dbfilename,
    appendonly: "no",
  });
  const [reply] = await server.ask(["INFO", "keyspace"]);
  const databases = [...parseInfo(String(reply))].filter(([name]) => /^db\d+$/.test(name));
  return databases.reduce((sum, [, text]) => sum + Number(/keys=(\d+)/.exec(text)?.[1] ?? 0), 0);
}
