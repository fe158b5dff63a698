/**
 * What the file said when it was applied last, kept beside the server's data: what differs from it since was set by hand. Digests only.
 */
import { join } from "node:path";
import { readIfThere, writeWhole } from "../files.ts";
import { digest, type Facts } from "./facts.ts";

interface Kept {
  /** The server's: one that was started again has read the file anew. */
  readonly runId: string;
  readonly values: Readonly<Record<string, string>>;
  /** Of the files for which the server was restarted: once. */
  readonly restartedFor?: string | undefined;
}

export interface Memory {
  /** Undefined: nothing is known of this server's life. */
  wasWanted(runId: string, name: string, value: string | undefined): boolean | undefined;
  /** @param settled names that are as wanted by now, or left on purpose; the others stay as they were known. */
  keep(runId: string, wanted: Facts, isSettled: (name: string) => boolean): void;
  restartedFor(): string | undefined;
  markRestart(fingerprint: string): void;
}

export function openMemory(dir: string): Memory {
  const path = join(dir, "rekindle-reload.json");
  let kept = read(path);

  function save(next: Kept): void {
    if (JSON.stringify(next) === JSON.stringify(kept)) return;
    kept = next;
    writeWhole(path, `${JSON.stringify(next)}\n`, 0o600, false);
  }
  return {
    wasWanted(runId, name, value) {
      if (kept?.runId !== runId) return undefined;
      return kept.values[name] === (value === undefined ? undefined : digest(value));
    },
    keep(runId, wanted, isSettled) {
      const before = kept?.runId === runId ? kept.values : {};
      const values = Object.fromEntries(
        [...wanted].flatMap(([name, value]) => {
          const known = isSettled(name) ? digest(value) : before[name];
          return known === undefined ? [] : [[name, known]];
        }),
      );
      // What is gone from the file and still there is yet to be taken away.
      for (const [name, known] of Object.entries(before))
        if (!wanted.has(name) && !isSettled(name)) values[name] = known;
      save({ runId, values, restartedFor: kept?.restartedFor });
    },
    restartedFor: () => kept?.restartedFor,
    markRestart(fingerprint) {
      save({ runId: "", values: {}, ...kept, restartedFor: fingerprint });
    },
  };
}

function read(path: string): Kept | undefined {
  try {
    return JSON.parse(readIfThere(path) ?? "null") ?? undefined;
  } catch {
    return undefined; // Torn, or not ours: known anew from now on.
  }
}
