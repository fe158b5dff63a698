/**
 * Cuts a shard's stream of commands into segments, each of which an append-only file can begin with. Pure.
 *
 * A segment holds the commands as they came, but those that change nothing, with an annotation of the time before the
 * first of each second. It never ends within a transaction, and where the stream is in another database than the first at its
 * beginning, it says so first.
 */
import type { StreamedCommand } from "../redis/command-splitter.ts";
import { encodeCommands } from "../redis/resp.ts";

export interface CutterStart {
  /** Of the first byte. */
  readonly offset: number;
  /** In which the stream is there; undefined where that is not known yet. */
  readonly database: number | undefined;
}

export interface CutSegment {
  readonly from: number;
  readonly to: number;
  readonly content: Buffer;
}

export interface SegmentCutter {
  /** Of the byte after the last command. */
  readonly offset: number;
  /** What is not taken yet costs so many bytes of memory, about. */
  readonly heldBytes: number;
  /** @param seconds since 1970, when it came. */
  push(command: StreamedCommand, seconds: number): void;
  isIn(database: number): void;
  /** Forgets the beginning of a transaction: the connection that it came over is gone, and another server may not have it. */
  rewind(): void;
  /**
   * One segment must end there, and another begin.
   *
   * @returns false where one that was taken already goes further.
   */
  cutAt(offset: number): boolean;
  /**
   * What can be stored: nothing where nothing was written, or it is not known in which database.
   *
   * @param seconds since 1970, for a segment without a command.
   */
  take(seconds: number): readonly CutSegment[];
}

interface Entry {
  readonly bytes: Buffer;
  readonly end: number;
  readonly seconds: number;
  /** The number that a SELECT names. */
  readonly selects: number | undefined;
  /** It must directly follow the one before. */
  readonly isWithin: boolean;
}

/** What is in the stream and changes no data: signs of life, questions, messages (Sentinels send theirs every other second). */
const noWrites: ReadonlySet<string> = new Set(["ping", "replconf", "publish", "spublish"]);
const entryBytes = 160;

export function createSegmentCutter(start: CutterStart): SegmentCutter {
  let { offset, database } = start;
  /** Where the next segment begins, and where the last whole transaction ends. */
  let [from, safe] = [offset, offset];
  let entries: Entry[] = [];
  let [isWithin, heldBytes] = [false, 0];
  let cuts: number[] = [];

  /** @returns undefined where its first command needs a database that is not known. */
  function build(to: number, seconds: number): CutSegment | undefined {
    const own = entries.filter(({ end }) => end <= to);
    const parts: Buffer[] = [];
    let [known, second] = [database, Number.NaN];
    for (const entry of own) {
      if (entry.seconds !== second && !entry.isWithin) parts.push(annotate(entry.seconds));
      if (!entry.isWithin) second = entry.seconds;
      if (entry === own[0] && entry.selects === undefined) {
        if (known === undefined) return undefined;
        if (known !== 0) parts.push(encodeCommands([["SELECT", known]]));
      }
      known = entry.selects ?? known;
      parts.push(entry.bytes);
    }
    if (own.length === 0) parts.push(annotate(seconds));
    const segment = { from, to, content: Buffer.concat(parts) };
    entries = entries.slice(own.length);
    for (const { bytes } of own) heldBytes -= bytes.length + entryBytes;
    [from, database] = [to, known];
    return segment;
  }

  return {
    get offset() {
      return offset;
    },
    get heldBytes() {
      return heldBytes;
    },
    push({ bytes, name, firstArgument }, seconds) {
      offset += bytes.length;
      if (!noWrites.has(name)) {
        const selects = name === "select" ? Number(firstArgument) : undefined;
        entries.push({ bytes, end: offset, seconds, selects, isWithin });
        heldBytes += bytes.length + entryBytes;
      }
      if (name === "multi") isWithin = true;
      if (name === "exec") isWithin = false;
      if (!isWithin) safe = offset;
    },
    isIn(given) {
      database ??= given;
    },
    rewind() {
      for (const { bytes } of entries.filter(({ end }) => end > safe))
        heldBytes -= bytes.length + entryBytes;
      entries = entries.filter(({ end }) => end <= safe);
      [offset, isWithin] = [safe, false];
    },
    cutAt(wanted) {
      if (wanted > from) cuts = [...new Set([...cuts, wanted])].sort((a, b) => a - b);
      return wanted >= from;
    },
    take(seconds) {
      const taken: CutSegment[] = [];
      const ends = cuts.filter((cut) => cut <= safe);
      const last = entries.findLast(({ end }) => end <= safe);
      if (last !== undefined && last.end > (ends.at(-1) ?? from)) ends.push(safe);
      for (const end of ends) {
        const segment = build(end, seconds);
        if (segment === undefined) break;
        taken.push(segment);
        cuts = cuts.filter((cut) => cut > end);
      }
      return taken;
    },
  };
}

/** As Redis 7.0 writes it with `aof-timestamp-enabled` (`genAofTimestampAnnotationIfNeeded`). */
const annotate = (seconds: number): Buffer => Buffer.from(`#TS:${seconds}\r\n`);
