/**
 * How far a snapshot is, in one line that is drawn anew.
 */
import { formatBytes } from "../words.ts";
import type { Progress } from "./copy-shards.ts";

/** Pure. */
export function renderProgress({ bytes, shards, shardsDone }: Progress, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? `${formatBytes((bytes / elapsedMs) * 1_000)}/s` : "";
  const done = shards > 1 ? `${shardsDone} of ${shards} shards` : "";
  return [formatBytes(bytes), rate, done].filter((part) => part !== "").join("  ");
}
