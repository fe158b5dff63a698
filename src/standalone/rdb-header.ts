/**
 * What a snapshot's first bytes tell: its format's version, who wrote it, and how much memory its data took. Pure.
 */
import { createRdbHeadReader } from "../snapshots/rdb-head.ts";

export interface RdbHeader {
  /** As the file has it: `REDIS0010`, `VALKEY080`. */
  readonly format: string;
  /** `Redis 7.0.15`, where the file tells. */
  readonly writtenBy: string | undefined;
  /** What the data took in memory, where the file tells. */
  readonly memoryBytes: number | undefined;
}

/** So many bytes hold all that is read here. */
export const headerBytesMax = 512;
const formatBytes = 9;

/** @returns undefined for what is no snapshot. */
export function readRdbHeader(bytes: Buffer): RdbHeader | undefined {
  const reader = createRdbHeadReader();
  reader.push(bytes);
  const { isRdb, fields } = reader.read();
  if (!isRdb) return undefined;
  const [redis, valkey] = [fields.get("redis-ver"), fields.get("valkey-ver")];
  const memory = Number(fields.get("used-mem"));
  return {
    format: bytes.toString("latin1", 0, formatBytes),
    writtenBy: valkey ? `Valkey ${valkey}` : redis && `Redis ${redis}`,
    memoryBytes: memory > 0 ? memory : undefined,
  };
}
