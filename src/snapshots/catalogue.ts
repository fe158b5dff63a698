/**
 * What snapshots a store holds: the whole ones, and what is left of others.
 */
import type { Store, StoredFile } from "../stores/store.ts";
import { manifestOf } from "./manifest.ts";

export interface StoredSnapshot {
  readonly id: string;
  /** When it was begun, in milliseconds since 1970. */
  readonly atMs: number;
  readonly files: readonly StoredFile[];
  /** Its manifest is there: it is whole. */
  readonly isWhole: boolean;
}

/** @returns in the order in which they were taken. */
export async function readCatalogue(
  store: Store,
  signal?: AbortSignal,
): Promise<readonly StoredSnapshot[]> {
  const files = new Map<string, StoredFile[]>();
  for await (const file of store.list("snapshots/", signal)) {
    const id = file.name.split("/")[1] ?? "";
    if (readId(id) === undefined) continue;
    files.set(id, [...(files.get(id) ?? []), file]);
  }
  return [...files]
    .map(([id, own]) => ({
      id,
      atMs: readId(id) as number,
      files: own,
      isWhole: own.some(({ name }) => name === manifestOf(id)),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** When the snapshot of this id was begun, in milliseconds since 1970; undefined for what is no id (`makeId`). */
function readId(id: string): number | undefined {
  const [, date, hour, minute, second] = /^(\d{8})T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]+$/.exec(id) ?? [];
  if (date === undefined) return undefined;
  const day = date.replace(/(\d{4})(\d\d)/, "$1-$2-");
  return Date.parse(`${day}T${hour}:${minute}:${second}Z`);
}
