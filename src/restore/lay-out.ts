/**
 * Which files a server loads at its start, for what it is: this is where a restore goes wrong unseen. With `appendonly yes` an RDB
 * file alone is ignored, and without it an append-only file is.
 */

import { createReadStream } from "node:fs";
import { appendFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { RekindleError } from "../errors.ts";
import { sync, writeWhole } from "../files.ts";
import { firstParts, renderAofManifest } from "../redis/aof-manifest.ts";
import type { DataFiles } from "../redis/data-files.ts";
import { ReplyError } from "../redis/resp.ts";
import type { Server } from "../redis/server.ts";
import { startThrowAwayServer } from "../redis/throw-away-server.ts";

export interface Written {
  readonly folder: string;
  /** In the folder. */
  readonly rdb: string;
  /** Undefined where nothing came after the RDB. */
  readonly commands: string | undefined;
}

type AppendOnlyNames = Pick<DataFiles, "appenddirname" | "appendfilename">;

/** Renames and joins what was written to what the server will load. */
export async function layOut(written: Written, names: DataFiles, server: Server): Promise<void> {
  const { folder } = written;
  if (names.appendonly) {
    // Several files in a folder since 7.0, which brought `cluster-port` too.
    if (server.hasBusPort) await layOutFolder(written, names);
    else await layOutSingle(written, names);
  } else {
    if (written.commands !== undefined) await replay(written, server);
    await rename(join(folder, written.rdb), join(folder, names.dbfilename));
  }
  sync(folder);
}

async function layOutFolder(
  { folder, rdb, commands }: Written,
  { appenddirname, appendfilename }: AppendOnlyNames,
): Promise<void> {
  const inner = join(folder, appenddirname);
  await mkdir(inner, { mode: 0o700 });
  const { base, increment, manifest } = firstParts({ appendfilename });
  await rename(join(folder, rdb), join(inner, base));
  if (commands !== undefined) await rename(join(folder, commands), join(inner, increment));
  const text = renderAofManifest(base, commands === undefined ? undefined : increment);
  writeWhole(join(inner, manifest), text, 0o600);
}

/** Up to 6.2: one file that begins as an RDB file does. */
async function layOutSingle(
  { folder, rdb, commands }: Written,
  { appendfilename }: AppendOnlyNames,
): Promise<void> {
  const path = join(folder, rdb);
  if (commands !== undefined) {
    await appendFile(path, createReadStream(join(folder, commands)), { flush: true });
    await rm(join(folder, commands));
  }
  await rename(path, join(folder, appendfilename));
}

/** The commands must be in the RDB file: a server without an append-only file loads nothing else. */
async function replay(written: Written, server: Server): Promise<void> {
  const names = { appenddirname: "replay", appendfilename: "replay.aof" };
  const { folder, rdb } = written;
  if (server.hasBusPort) await layOutFolder(written, names);
  else await layOutSingle(written, names);
  {
    await using running = await startThrowAwayServer(server.path, folder, {
      ...(server.hasBusPort ? names : { appendfilename: names.appendfilename }),
      appendonly: "yes",
      dbfilename: rdb,
    });
    const [saved] = await running.ask(["SAVE"]);
    if (saved instanceof ReplyError)
      throw new RekindleError("refused", `the stream cannot be saved: ${saved.message}`, {
        hint: "make room in the data folder, or turn appendonly on in your redis.conf",
      });
  }
  for (const name of Object.values(names))
    await rm(join(folder, name), { recursive: true, force: true });
}
