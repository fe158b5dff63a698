/**
 * Keeps what is written to one shard: reads its stream from one of its servers after the other, and stores it in segments, each second
 * that has something.
 *
 * What is not stored yet is in memory. When that is too much, because the store is away, the stream ends: another snapshot begins
 * another one. Only what is stored is acknowledged to the server, so that WAIT tells clients nothing that is not so.
 */
import { setTimeout as pause } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { createCommandSplitter } from "../redis/command-splitter.ts";
import type { Position, Resumed } from "../redis/replication-stream.ts";
import { nameSegment } from "../snapshots/manifest.ts";
import { writeAtOnce } from "../stores/small-files.ts";
import type { Store } from "../stores/store.ts";
import { type CutSegment, createSegmentCutter } from "./segment-cutter.ts";

export interface ShardStreamOptions {
  readonly id: string;
  /** For the log. */
  readonly name: string;
  readonly first: Resumed;
  readonly database: number | undefined;
  readonly store: Store;
  readonly log: Log;
  /** @returns undefined where no server has the stream from there any more; what it throws is tried again. */
  readonly resume: (from: Position, signal: AbortSignal) => Promise<Resumed | undefined>;
  readonly onBroken: () => void;
}

export interface ShardStream {
  readonly id: string;
  /** Why it has ended. */
  readonly broken: string | undefined;
  /** Everything that had come until then is stored: in milliseconds since 1970. */
  readonly storedAtMs: number;
  /** Nothing is stored for a while: a snapshot begins, and where in the stream is not known yet. */
  hold(): void;
  release(): void;
  /** @returns false where what is stored already goes further, or the servers have another history now. */
  cutAt(position: Position): boolean;
  isIn(database: number): void;
  breakOff(why: string): void;
  /** Stores what it has, and ends. */
  close(): Promise<void>;
}

const tickMs = 1_000;
const heldBytesMax = 32 * 1_048_576;
/** A server waits up to five seconds for others that want a copy too (`repl-diskless-sync-delay`). */
const holdMsMax = 6_000;
const retryMs = 250;
const closingMsMax = 5_000;

export function startShardStream(options: ShardStreamOptions): ShardStream {
  const { id, name, store, log } = options;
  const { offset } = options.first;
  const cutter = createSegmentCutter({ offset, database: options.database });
  const [stop, late] = [new AbortController(), new AbortController()];
  let { history } = options.first;
  let server: Resumed | undefined = options.first;
  let broken: string | undefined;
  /** Taken from the cutter, and not stored yet. */
  let queue: CutSegment[] = [];
  let queuedBytes = 0;
  let [storedTo, storedAtMs, heldUntil] = [offset, Date.now(), 0];
  let storing: Promise<void> | undefined;
  let isStoreAway = false;

  function breakOff(why: string): void {
    if (broken !== undefined || stop.signal.aborted) return;
    broken = why;
    log.warn("error", `the stream of ${name} ends: ${why}; a snapshot begins another one`, {
      report: "BackupStreamEnded",
    });
    end();
    options.onBroken();
  }
  function end(): void {
    clearInterval(ticking);
    stop.abort();
    server?.close();
  }

  async function read(resumed: Resumed): Promise<void> {
    const splitter = createCommandSplitter(heldBytesMax);
    for await (const bytes of resumed.commands) {
      const seconds = Math.floor(Date.now() / 1_000);
      try {
        for (const command of splitter.push(bytes)) {
          cutter.push(command, seconds);
          if (command.name === "replconf") acknowledge();
        }
      } catch (thrown) {
        return breakOff(messageOf(thrown));
      }
      if (cutter.heldBytes + splitter.heldBytes + queuedBytes > heldBytesMax)
        return breakOff("more was written than memory holds while the store took nothing");
    }
  }
  async function readOn(): Promise<void> {
    for (let resumed: Resumed | undefined = options.first; resumed; resumed = await reconnect()) {
      server = resumed;
      history = resumed.history;
      await read(resumed).catch((thrown: unknown) => {
        if (!stop.signal.aborted) log.info("wait", `the stream of ${name}: ${messageOf(thrown)}`);
      });
      server = undefined;
      if (stop.signal.aborted) return;
    }
    breakOff("no server has what follows");
  }
  async function reconnect(): Promise<Resumed | undefined> {
    cutter.rewind();
    let said = "";
    for (;;) {
      try {
        const resumed = await options.resume({ history, offset: cutter.offset }, stop.signal);
        if (resumed) log.info("action", `the stream of ${name} goes on without a gap`);
        return resumed;
      } catch (thrown) {
        if (stop.signal.aborted) return undefined;
        const why = messageOf(thrown);
        if (why !== said) log.info("wait", `the stream of ${name}: ${why}`);
        said = why;
        await pause(retryMs, undefined, { signal: stop.signal }).catch(() => {});
      }
    }
  }

  function acknowledge(): void {
    const isAllStored = queue.length === 0 && cutter.heldBytes === 0;
    server?.acknowledge(isAllStored ? cutter.offset : storedTo);
  }
  async function storeTaken(): Promise<void> {
    const takenAtMs = Date.now();
    const taken = cutter.take(Math.floor(takenAtMs / 1_000));
    for (const { content } of taken) queuedBytes += content.length;
    queue.push(...taken);
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const segment = next;
      await writeAtOnce(
        store,
        nameSegment({ stream: id, ...segment }),
        segment.content,
        late.signal,
      );
      queue = queue.slice(1);
      queuedBytes -= segment.content.length;
      storedTo = segment.to;
    }
    // What is written while no server is connected is not known of.
    const isAll = server !== undefined && (cutter.heldBytes === 0 || taken.length > 0);
    if (isAll) storedAtMs = takenAtMs;
    if (isStoreAway) log.info("action", `the stream of ${name}: the store is back`);
    isStoreAway = false;
  }
  async function tick(): Promise<void> {
    if (Date.now() >= heldUntil)
      await storeTaken().catch((thrown: unknown) => {
        if (!isStoreAway) log.warn("wait", `the stream of ${name} is kept: ${messageOf(thrown)}`);
        isStoreAway = true;
      });
    acknowledge();
  }
  const tickOnce = (): Promise<void> => {
    storing ??= tick().finally(() => {
      storing = undefined;
    });
    return storing;
  };
  const ticking = setInterval(tickOnce, tickMs);
  const reading = readOn();

  return {
    id,
    get broken() {
      return broken;
    },
    get storedAtMs() {
      return storedAtMs;
    },
    hold() {
      heldUntil = Date.now() + holdMsMax;
    },
    release() {
      heldUntil = 0;
    },
    cutAt: (position) =>
      broken === undefined && position.history === history && cutter.cutAt(position.offset),
    isIn: cutter.isIn,
    breakOff,
    async close() {
      end();
      const timer = setTimeout(() => late.abort(), closingMsMax);
      await reading;
      await storing;
      await storeTaken().catch((thrown: unknown) => {
        log.warn("error", `the end of the stream of ${name} is lost: ${messageOf(thrown)}`);
      });
      clearTimeout(timer);
    },
  };
}
