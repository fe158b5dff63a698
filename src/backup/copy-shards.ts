/**
 * Streams each shard's data from its server to the store, all from the same moment on.
 */
import { messageOf, RekindleError } from "../errors.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import {
  type Copy,
  connectAsReplica,
  type ReplicaConnection,
} from "../redis/replication-stream.ts";
import type { ServerVersion } from "../redis/server.ts";
import { type CheckedRdb, createRdbCheck, type RdbCheck } from "../snapshots/check-rdb.ts";
import { rdbOf, type Shard } from "../snapshots/manifest.ts";
import type { Store } from "../stores/store.ts";
import { allOrNone } from "./all-or-none.ts";
import type { Source } from "./choose-sources.ts";
import type { StreamKeeper } from "./keeper.ts";
import { largerPieces } from "./larger-pieces.ts";

export interface CopyOptions {
  readonly store: Store;
  readonly connect: ConnectOptions;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly keeper?: StreamKeeper | undefined;
}

export interface Progress {
  /** Of all shards, as the servers sent them. */
  readonly bytes: number;
  readonly shards: number;
  readonly shardsDone: number;
}

export const fileOf = (index: number): string => `${index}.rdb`;

export interface Copied {
  /** Of the first shard. */
  readonly server: ServerVersion;
  readonly shards: readonly Shard[];
}

/** @throws RekindleError for the first shard that fails; the others are given up then. */
export async function copyShards(
  id: string,
  sources: readonly Source[],
  options: CopyOptions,
): Promise<Copied> {
  const { keeper, connect, signal } = options;
  const connections: ReplicaConnection[] = [];
  try {
    await allOrNone(sources, signal, async ({ address }, index, signal) => {
      connections[index] = await connectAsReplica(address, { ...connect, signal });
    });
    keeper?.prepare();
    // Asked all at once: what one shard has and another has not yet is as little as can be.
    const copies = await allOrNone(connections, signal, (one) => one.copy());
    const streams = await keeper?.begin(sources, copies, signal);
    const shards = sources.map((source, index) => ({
      source,
      copy: copies[index] as Copy,
      connection: connections[index] as ReplicaConnection,
      stream: streams?.[index],
    }));
    const { server } = connections[0] as ReplicaConnection;
    return { server, shards: await storeAll(id, shards, options) };
  } finally {
    for (const connection of connections) connection?.close();
  }
}

interface ShardCopy {
  readonly source: Source;
  readonly copy: Copy;
  readonly connection: ReplicaConnection;
  readonly stream: string | undefined;
}

function storeAll(
  id: string,
  shards: readonly ShardCopy[],
  { store, signal, keeper, onProgress }: CopyOptions,
): Promise<readonly Shard[]> {
  const checks = shards.map(createRdbCheck);
  let shardsDone = 0;
  const report = (): void => {
    const bytes = checks.reduce((sum, check) => sum + check.bytes, 0);
    onProgress?.({ bytes, shards: shards.length, shardsDone });
  };
  return allOrNone(shards, signal, async (shard, index, signal) => {
    const { source, copy, connection, stream } = shard;
    const check = checks[index] as RdbCheck;
    const checked: { rdb?: CheckedRdb } = {};
    async function* checking(): AsyncIterable<Buffer> {
      for await (const piece of copy.rdb) {
        check.update(piece);
        report();
        yield piece;
      }
      // Before the store gives the file its name.
      checked.rdb = endCheck(check, source);
      keeper?.isIn(index, checked.rdb.streamDb);
    }
    // A server that says nothing is not waited for.
    signal.addEventListener("abort", connection.close);
    const file = fileOf(index);
    await store.write(rdbOf(id, { file }), largerPieces(checking()), signal);
    shardsDone++;
    report();
    const { bytes = 0, sha256 = "" } = checked.rdb ?? {};
    const base = { file, bytes, sha256, slots: source.slots, offset: copy.offset };
    return stream === undefined ? base : { ...base, stream };
  });
}

function endCheck(check: RdbCheck, { name }: Source): CheckedRdb {
  try {
    return check.end();
  } catch (cause) {
    throw new RekindleError("tryAgain", `the copy of ${name} is damaged: ${messageOf(cause)}`, {
      hint: "look into its log and at its memory; another server of the shard may be sound",
      cause,
    });
  }
}
