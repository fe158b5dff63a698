/**
 * One RDB file out of those of several shards: the records of some slots, byte for byte.
 */
import { RekindleError } from "../errors.ts";
import { opcodes } from "./format.ts";
import { createPages } from "./pages.ts";
import { createRdbReader, type RdbVisitor } from "./read-rdb.ts";
import { type SlotSet, slotOf } from "./slots.ts";
import { describeFormat, type Format } from "./versions.ts";

export interface RdbSource {
  /** For messages. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Undefined: all. */
  readonly slots: SlotSet | undefined;
}

export interface Selected {
  records: number;
}

/**
 * Header, fields about the file, functions and modules' own data are those of the first; every server of a cluster has the
 * same. Left out is what would no longer be true: sizes (hints for tables), and where the file stands in a replication stream.
 *
 * Its checksum is zero, which a server takes for none (`rdbLoadRioWithLoadingCtx`): what comes in is checked by a better one, and
 * CRC64 without an instruction for it would take longer than everything else here.
 *
 * @param counts is told how many records there are, as they are written.
 * @throws RekindleError "refused" for a source that is no RDB file, damaged, cut off, or of another version than the first.
 */
export async function* selectSlots(
  sources: readonly RdbSource[],
  counts: Selected = { records: 0 },
): AsyncGenerator<Buffer> {
  const output = createPages();
  let format: Format | undefined;
  /** Which database the output is in; a file begins in none. */
  let selected = -1;

  for (const [index, source] of sources.entries()) {
    let database = 0;
    const visitor: RdbVisitor = {
      header(found, bytes) {
        if (format === undefined) output.append(bytes);
        format ??= found;
        if (found.name !== format.name || found.version !== format.version)
          throw new RekindleError(
            "refused",
            `${source.name} is of ${describeFormat(found)}, and the first one of ${describeFormat(format)}`,
            { hint: "choose a snapshot that was taken while all servers were of one version" },
          );
      },
      extra(kind, bytes, name) {
        if (index > 0 || (kind === "aux" && isOfAnotherStream(name))) return;
        output.append(bytes);
      },
      database(found) {
        database = found;
      },
      key(bytes, from, to) {
        if (source.slots !== undefined && source.slots[slotOf(bytes, from, to)] !== 1) return false;
        if (selected !== database) {
          const select = encodeSelect(database);
          output.append(select);
          selected = database;
        }
        counts.records++;
        return true;
      },
      keep: output.append,
    };
    const reader = createRdbReader(source.name, visitor);
    for await (const chunk of source.content) {
      reader.push(asBuffer(chunk));
      yield* output.take();
    }
    reader.end();
  }
  output.append(footer);
  yield* output.take(true);
}

const footer = Buffer.from([opcodes.end, 0, 0, 0, 0, 0, 0, 0, 0]);

const isOfAnotherStream = (name: Buffer): boolean => name.toString("latin1").startsWith("repl-");

function encodeSelect(database: number): Buffer {
  const select = Buffer.from([opcodes.selectDb, 0x80, 0, 0, 0, 0]);
  select.writeUInt32BE(database, 2);
  return select;
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
