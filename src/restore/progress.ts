/**
 * Says how far a restore is: now and then, and at its end.
 */
import type { Log, LogFields } from "../log.ts";
import type { Source } from "./types.ts";

export interface Progress {
  came(bytes: number): void;
  finished(fields: LogFields): void;
}

const everyMs = 10_000;

export function createProgress(log: Log, { manifest, parts, untilSeconds }: Source): Progress {
  // Of each RDB all comes, whichever slots are taken from it.
  const all = parts.reduce(
    (sum, { shard, segments }) =>
      sum + shard.bytes + segments.reduce((own, { bytes }) => own + bytes, 0),
    0,
  );
  const startedAt = performance.now();
  let [come, toldAt] = [0, startedAt];
  const mb = (bytes: number) => Math.round(bytes / 1e5) / 10;
  log.info("action", `restoring snapshot ${manifest.id} of ${manifest.endedAt}`, {
    shards: parts.length,
    mb: mb(all),
    until: untilSeconds && new Date(untilSeconds * 1_000).toISOString(),
  });
  return {
    came(bytes) {
      come += bytes;
      if (performance.now() - toldAt < everyMs) return;
      toldAt = performance.now();
      log.info("action", `restoring: ${mb(come)} of ${mb(all)} MB`);
    },
    finished(fields) {
      const seconds = Math.round(performance.now() - startedAt) / 1_000;
      log.info("action", `restored snapshot ${manifest.id}`, {
        report: "Restored",
        ...fields,
        seconds,
      });
    },
  };
}
