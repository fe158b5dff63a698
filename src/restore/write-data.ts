/**
 * Writes what a restore gives: one RDB file, and one append-only file of all that came after it.
 */
import { open, truncate } from "node:fs/promises";
import { messageOf, RekindleError } from "../errors.ts";
import { writeAll } from "../files.ts";
import { createPages } from "../rdb/pages.ts";
import { MalformedError } from "../rdb/primitives.ts";
import { type CommandSource, type Followed, selectCommands } from "../rdb/select-commands.ts";
import { type Selected, selectSlots } from "../rdb/select-slots.ts";
import { headerBytes, readHeader } from "../rdb/versions.ts";
import { nameSegment } from "../snapshots/manifest.ts";
import type { Store } from "../stores/store.ts";
import { sweeping } from "../stores/sweep.ts";
import type { Part, Source } from "./types.ts";
import { readVerified } from "./verified.ts";

export interface Work {
  readonly store: Store;
  readonly source: Source;
  /** Told how many bytes came from the store. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What the stream of one shard came to. */
export interface Stream extends Followed {
  readonly part: Part;
  /** It emptied the server: nothing before that counts, the RDB neither. */
  isWhole: boolean;
}

/**
 * The streams first: one that emptied its server makes its RDB void.
 *
 * @param isPlain without annotations, for servers before 7.0.
 */
export async function writeStreams(
  path: string,
  { store, source, onBytes, signal }: Work,
  isPlain: boolean,
): Promise<readonly Stream[]> {
  const { parts, untilSeconds } = source;
  const streams: Stream[] = [];
  await using file = await open(path, "w", 0o600);
  const output = createPages();
  let position = 0;
  async function write(isLast: boolean): Promise<void> {
    for (const page of output.take(isLast)) {
      await writeAll(file, page);
      position += page.length;
    }
  }
  for (const part of parts) {
    const stream: Stream = { part, commands: 0, seconds: undefined, isCut: false, isWhole: false };
    streams.push(stream);
    const start = position;
    const from: CommandSource = {
      name: `${store.url}/stream/${part.shard.stream}`,
      content: readSegments(store, part, onBytes, signal),
      slots: part.slots,
      untilSeconds,
      isPlain,
      isOneOfMany: parts.length > 1,
      isForCluster: isForCluster(source, part),
    };
    for await (const instruction of selectCommands(from, stream)) {
      if (instruction === "begin anew") {
        await write(true);
        await truncate(path, start);
        position = start;
        stream.isWhole = true;
        stream.commands = 0;
      } else output.append(instruction);
      await write(false);
    }
    await write(true);
  }
  await file.sync();
  return streams;
}

async function* readSegments(
  store: Store,
  { segments }: Part,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (const segment of segments) {
    for await (const chunk of sweeping(store.read(nameSegment(segment), signal))) {
      onBytes(chunk.byteLength);
      yield chunk;
    }
  }
}

/** @param parts those whose RDB counts. */
export async function writeRdb(
  path: string,
  { store, source, onBytes, signal }: Work,
  parts: readonly Part[],
): Promise<Selected> {
  const { manifest } = source;
  const counts: Selected = { records: 0 };
  const [only, ...more] = parts;
  const contentOf = ({ shard }: Part) => readVerified(store, manifest, shard, onBytes, signal);
  const content =
    only && more.length === 0 && only.slots === undefined
      ? withHeader(`${store.url}: ${only.shard.file} of ${manifest.id}`, contentOf(only))
      : selectSlots(
          parts.map((part) => ({
            name: `${store.url}: ${part.shard.file} of ${manifest.id}`,
            content: contentOf(part),
            slots: part.slots,
            isForCluster: isForCluster(source, part),
          })),
          counts,
        );
  await using file = await open(path, "w", 0o600);
  let writing = Promise.resolve();
  try {
    // The next chunk is read and checked while this one is written.
    for await (const chunk of sweeping(content)) {
      await writing;
      writing = writeAll(file, chunk);
      writing.catch(() => {}); // Thrown where it is awaited.
    }
  } finally {
    await writing;
  }
  await file.sync();
  return counts;
}

const isForCluster = ({ manifest }: Source, { slots }: Part): boolean =>
  manifest.topology !== "cluster" && slots !== undefined;

/** As it is, if it is an RDB file. */
async function* withHeader(
  name: string,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let isChecked = false;
  for await (const chunk of content) {
    if (!isChecked) checkHeader(name, chunk);
    isChecked = true;
    yield chunk;
  }
}

function checkHeader(name: string, chunk: Uint8Array): void {
  try {
    readHeader(Buffer.from(chunk.subarray(0, headerBytes)));
  } catch (thrown) {
    if (!(thrown instanceof MalformedError)) throw thrown;
    throw new RekindleError("refused", `${name} is no RDB file: ${messageOf(thrown)}`, {
      hint: "choose another snapshot: `rekindle backups --verify` tells which are sound",
    });
  }
}
