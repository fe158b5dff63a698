/**
 * Looks into the store for what a restore would take.
 */

import type { Manifest } from "../snapshots/manifest.ts";
import { listSegments, listSnapshots, readSnapshot } from "../snapshots/read-snapshots.ts";
import type { Store } from "../stores/store.ts";
import { chooseSnapshot, planRestore, type Target } from "./plan-restore.ts";
import type { RestorePlan, WantedSnapshot } from "./types.ts";

/** @throws RekindleError where the store cannot be read, or the manifest that it comes to is damaged. */
export async function planFromStore(
  store: Store,
  wanted: WantedSnapshot,
  target: Target,
  signal?: AbortSignal,
): Promise<RestorePlan> {
  const manifests = await readCandidates(store, wanted, signal);
  const choice = chooseSnapshot(manifests, wanted);
  if (choice.kind !== "chosen") return choice;
  const locked = findMissingKey(store, choice.manifest);
  if (locked) return { kind: "refuse", ...locked };
  const streams = new Set(choice.manifest.shards.flatMap(({ stream }) => stream ?? []));
  const segments = [];
  for (const stream of streams) segments.push(...(await listSegments(store, stream, signal)));
  return planRestore({ manifests, segments }, wanted, target);
}

/** What is wrong where the files cannot be decrypted. */
export function findMissingKey(
  store: Pick<Store, "encryptedFor">,
  { id, encryptedFor }: Manifest,
): { readonly reason: string; readonly hint: string } | undefined {
  if (encryptedFor === undefined || encryptedFor === store.encryptedFor) return undefined;
  const given = store.encryptedFor === undefined ? "none is" : `${store.encryptedFor} is`;
  return {
    reason: `snapshot ${id} is encrypted with the key ${encryptedFor}, and ${given} given`,
    hint: "give the key that it was taken with, in --encryption-key-file",
  };
}

/** In order. The newest first: as a rule that is the one, and each costs a request. */
async function readCandidates(
  store: Store,
  wanted: WantedSnapshot,
  signal: AbortSignal | undefined,
): Promise<readonly Manifest[]> {
  const ids = await listSnapshots(store, signal);
  const { id } = wanted;
  const [last] = ids.slice(-1);
  if (id !== undefined) {
    const known = ids.includes(id) ? id : last;
    return known === undefined ? [] : [await readSnapshot(store, known, signal)];
  }
  const manifests: Manifest[] = [];
  for (const one of ids.toReversed()) {
    manifests.unshift(await readSnapshot(store, one, signal));
    if (chooseSnapshot(manifests, wanted).kind === "chosen") break;
  }
  return manifests;
}
