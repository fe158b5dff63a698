/**
 * The streams of all shards, from one snapshot to the next. A snapshot either is a place in the streams that are kept already, or begins
 * others: where a shard's servers could not go on with its stream, or other slots lie together now.
 */
import { RekindleError } from "../errors.ts";
import { drawNodeId } from "../files.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import {
  type Copy,
  connectAsReplica,
  type Position,
  type Resumed,
} from "../redis/replication-stream.ts";
import type { Store } from "../stores/store.ts";
import { allOrNone } from "./all-or-none.ts";
import { haveSameSlots, type Source } from "./choose-sources.ts";
import type { Sight, SourceFinder } from "./find-sources.ts";
import type { StreamKeeper } from "./keeper.ts";
import { type ShardStream, startShardStream } from "./shard-stream.ts";

export interface ContinuousOptions {
  readonly store: Store;
  readonly finder: SourceFinder;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** A snapshot is wanted, since a stream has ended. */
  readonly onBroken: () => void;
}

export interface Continuous extends StreamKeeper {
  /** There is no snapshot yet with which all streams go on. */
  readonly needsSnapshot: boolean;
  /** Everything that was written until then is stored: in milliseconds since 1970; undefined where it is not our part. */
  readonly storedAtMs: number | undefined;
  /** Ends the streams where other slots lie together than when they began. */
  compare(sight: Sight): void;
  /** Stores what there is, and ends all streams. */
  stop(): Promise<void>;
}

interface KeptShard {
  readonly source: Source;
  readonly stream: ShardStream;
}

export function createContinuous(options: ContinuousOptions): Continuous {
  let kept: readonly KeptShard[] = [];
  /** Of the snapshot that is being taken. */
  let begun: readonly KeptShard[] = [];
  /** Since when it is our part, and nothing may be stored yet. */
  let beganAtMs: number | undefined;

  async function begin(source: Source, copy: Copy): Promise<KeptShard> {
    const same = kept.find((one) => haveSameSlots([one.source], [source]));
    if (same?.stream.cutAt(copy)) return { source, stream: same.stream };
    const first = await resumeAt(source, copy);
    if (first === undefined)
      throw new RekindleError("tryAgain", `${source.name} does not have its stream any more`, {
        hint: "raise its repl-backlog-size",
      });
    const stream = startShardStream({
      ...options,
      id: drawNodeId(),
      name: source.name,
      first,
      // A cluster has one database only.
      database: source.slots.length > 0 ? 0 : undefined,
      resume: (from, signal) => resume(source, from, signal),
    });
    return { source, stream };
  }
  async function resume(
    { slots, name }: Source,
    from: Position,
    signal: AbortSignal,
  ): Promise<Resumed | undefined> {
    const { choice } = await options.finder.look();
    if (choice.kind === "none") throw new Error(choice.reason);
    const source = choice.sources.find((one) => haveSameSlots([one], [{ slots }]));
    if (source === undefined) throw new Error(`the slots of ${name} were moved`);
    return resumeAt(source, from, signal);
  }
  async function resumeAt({ address }: Source, from: Position, signal?: AbortSignal) {
    const more = signal && { signal };
    const connection = await connectAsReplica(address, { ...options.connect, ...more });
    return connection.resume(from);
  }
  const end = (shards: readonly KeptShard[]): Promise<unknown> =>
    Promise.all(shards.map(({ stream }) => stream.close()));
  const without = (shards: readonly KeptShard[], others: readonly KeptShard[]) =>
    shards.filter(({ stream }) => !others.some((other) => other.stream === stream));

  return {
    get needsSnapshot() {
      return kept.length === 0 || kept.some(({ stream }) => stream.broken !== undefined);
    },
    get storedAtMs() {
      return kept.length === 0
        ? beganAtMs
        : Math.min(...kept.map(({ stream }) => stream.storedAtMs));
    },
    compare({ choice }) {
      beganAtMs ??= Date.now();
      if (choice.kind === "none" || kept.length === 0) return;
      const sources = kept.map(({ source }) => source);
      if (haveSameSlots(sources, choice.sources)) return;
      for (const { stream } of kept) stream.breakOff("slots were moved");
    },
    prepare() {
      for (const { stream } of kept) stream.hold();
    },
    async begin(sources, copies, signal) {
      const found: KeptShard[] = [];
      try {
        await allOrNone(sources, signal, async (source, index) => {
          found[index] = await begin(source, copies[index] as Copy);
        });
      } finally {
        begun = found.filter((one) => one !== undefined);
        for (const { stream } of kept) stream.release();
      }
      return begun.map(({ stream }) => stream.id);
    },
    isIn: (shard, database) => begun[shard]?.stream.isIn(database),
    confirm() {
      const ended = without(kept, begun);
      [kept, begun] = [begun, []];
      void end(ended);
    },
    abandon() {
      const ended = without(begun, kept);
      begun = [];
      for (const { stream } of kept) stream.release();
      void end(ended);
    },
    async stop() {
      const all = [...kept, ...without(begun, kept)];
      [kept, begun, beganAtMs] = [[], [], undefined];
      await end(all);
    },
  };
}
