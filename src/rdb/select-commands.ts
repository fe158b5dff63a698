/**
 * The part of a shard's stream that is to be carried out again: of some slots, up to some second, and never half a transaction.
 */
import { placeOf } from "./first-key.ts";
import { type Annotation, type LoggedCommand, readCommands } from "./read-commands.ts";
import { type SlotSet, slotOf } from "./slots.ts";

export interface CommandSource {
  /** For messages. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Undefined: all. */
  readonly slots: SlotSet | undefined;
  /** Everything up to and including this second; undefined: to the end. */
  readonly untilSeconds: number | undefined;
  /** Without the times, for a server that does not know annotations (before 7.0). */
  readonly isPlain: boolean;
  /** One of several shards: emptying it must not empty the others. */
  readonly isOneOfMany: boolean;
}

export interface Followed {
  commands: number;
  /** The last time that was told; undefined where none was. */
  seconds: number | undefined;
  /** A later moment than was asked for has come: the stream was there up to then. */
  isCut: boolean;
}

/** What to append, or that everything until here is void. */
export type Instruction = Buffer | "begin anew";

export async function* selectCommands(
  source: CommandSource,
  followed: Followed,
): AsyncGenerator<Instruction> {
  /** What is kept of a transaction that has not ended yet. */
  let transaction: Buffer[] | undefined;
  let isWholeVoid = false;

  function* follow({ bytes, words }: LoggedCommand): Generator<Instruction> {
    const name = nameOf(words);
    if (name === "MULTI") transaction = [copyOf(bytes)];
    else if (name === "EXEC") {
      if (isWholeVoid) yield "begin anew";
      if (transaction && transaction.length > 1) yield Buffer.concat([...transaction, bytes]);
      transaction = undefined;
      isWholeVoid = false;
    } else if (source.isOneOfMany && placeOf(name) === "flush") {
      if (transaction === undefined) yield "begin anew";
      else {
        transaction.length = 1;
        isWholeVoid = true;
      }
    } else if (isWanted(name, words, source.slots)) {
      followed.commands++;
      if (transaction === undefined) yield bytes;
      else transaction.push(copyOf(bytes));
    }
  }

  function* annotate({ bytes, seconds }: Annotation): Generator<Instruction> {
    if (seconds !== undefined) followed.seconds = seconds;
    if (!source.isPlain && transaction === undefined) yield bytes;
  }

  for await (const entry of readCommands(source.name, source.content)) {
    if (entry.kind === "command") yield* follow(entry);
    else {
      const { untilSeconds } = source;
      if (untilSeconds !== undefined && (entry.seconds ?? 0) > untilSeconds) {
        followed.isCut = true;
        return;
      }
      yield* annotate(entry);
    }
  }
}

/** Bytes that outlive the chunk that they came in, and do not keep all of it. */
const copyOf = (bytes: Buffer): Buffer => Buffer.from(bytes);

const nameOf = (words: readonly Buffer[]): string =>
  (words[0]?.toString("latin1") ?? "").toUpperCase();

function isWanted(name: string, words: readonly Buffer[], slots: SlotSet | undefined): boolean {
  const place = placeOf(name);
  if (place === "nobody") return false;
  const key = typeof place === "number" ? words[place] : undefined;
  if (slots === undefined || key === undefined) return true;
  return slots[slotOf(key)] === 1;
}
