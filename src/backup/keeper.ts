/**
 * What keeps the streams that go on from a snapshot, as the snapshot itself sees it.
 */
import type { Copy } from "../redis/replication-stream.ts";
import type { Source } from "./choose-sources.ts";

export interface StreamKeeper {
  /** The copies are about to be asked for; where in the streams they will stand is not known yet. */
  prepare(): void;
  /**
   * The servers have said where the copies stand.
   *
   * @returns for each shard the id of the stream that goes on from there.
   */
  begin(
    sources: readonly Source[],
    copies: readonly Copy[],
    signal?: AbortSignal,
  ): Promise<readonly string[]>;
  /** In which database the stream of this shard is where its copy stands. */
  isIn(shard: number, database: number): void;
  /** The snapshot is whole. */
  confirm(): void;
  /** There will be no such snapshot. */
  abandon(): void;
}
