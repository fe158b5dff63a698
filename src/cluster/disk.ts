/**
 * What the data folder holds from an earlier life: the node table, and which data the server would load.
 *
 * Data is never deleted (rule 8): what is of no use is renamed aside, with the time in its name.
 */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf, RekindleError } from "../errors.ts";
import { asideName } from "../files.ts";
import { type DataFiles, holdsAppendOnlyFile, holdsSnapshot } from "../redis/data-files.ts";
import { myselfOf, type NodeTable, parseNodes } from "./nodes.ts";
import type { DiskData } from "./types.ts";

export const nodesFile = "nodes.conf";

export interface Disk {
  readonly table: NodeTable | undefined;
  readonly data: DiskData;
  readonly unreadSnapshot: boolean;
  /** Why nodes.conf cannot be used, where it is there. */
  readonly torn: string | undefined;
}

export function readDisk(files: DataFiles): Disk {
  const { table, torn } = readTable(join(files.dir, nodesFile));
  const hasSnapshot = holdsSnapshot(files);
  const hasAppendOnly = holdsAppendOnlyFile(files);
  // With appendonly yes the server loads that file only; a snapshot beside it is ignored.
  const loaded: DiskData = files.appendonly
    ? hasAppendOnly
      ? "aof"
      : "none"
    : hasSnapshot
      ? "rdb"
      : "none";
  return {
    table,
    torn,
    data: loaded,
    unreadSnapshot: files.appendonly && !hasAppendOnly && hasSnapshot,
  };
}

function readTable(path: string): Pick<Disk, "table" | "torn"> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return { table: undefined, torn: undefined };
    throw new RekindleError("configuration", `${path} cannot be read: ${messageOf(thrown)}`, {
      hint: "let this user read and write the data folder",
      cause: thrown,
    });
  }
  // The server itself takes an empty file for none: it creates the file before it writes it.
  if (text === "") return { table: undefined, torn: undefined };
  try {
    const table = parseNodes(text);
    if (myselfOf(table) === undefined)
      return { table: undefined, torn: "no line says which node it is of" };
    return { table: isBlank(table) ? undefined : table, torn: undefined };
  } catch (thrown) {
    return { table: undefined, torn: messageOf(thrown) };
  }
}

/** A node that never met anybody has nothing to come back to. */
function isBlank(table: NodeTable): boolean {
  return table.nodes.length === 1 && table.nodes.every((node) => node.slots.length === 0);
}

/**
 * Renames nodes.conf, and with it the data that nobody can place without it.
 *
 * @returns the new names, for the log.
 */
export function setAside(files: DataFiles, now: Date, withData: boolean): readonly string[] {
  const data = withData ? [files.dbfilename, files.appenddirname, files.appendfilename] : [];
  const present = [nodesFile, ...data].filter((name) => existsSync(join(files.dir, name)));
  return present.map((name) => {
    const aside = asideName(name, now);
    renameSync(join(files.dir, name), join(files.dir, aside));
    return aside;
  });
}
