/**
 * This process as a replica of a server, for its data and for all that is written to it afterwards.
 *
 * Nothing is taken from the server before somebody wants it, so that little more than one piece of the network's is in memory.
 */
import type { Socket } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { type ConnectOptions, connect } from "./connection.ts";
import { parseInfo, readServer } from "./info.ts";
import { createFeedReader, type Sent } from "./replica-feed.ts";
import { type Command, encodeCommands, ReplyError } from "./resp.ts";
import type { ServerVersion } from "./server.ts";

export interface StreamOptions extends ConnectOptions {
  readonly signal?: AbortSignal;
}

/** A place in a stream: the history that it is of, and the offset of the next byte. */
export interface Position {
  readonly history: string;
  readonly offset: number;
}

export interface ReplicaConnection {
  readonly server: ServerVersion;
  /** Asks for a copy of all data. The stream that belongs to it goes on from its position. */
  copy(): Promise<Copy>;
  /**
   * Asks for the stream from there on.
   *
   * @returns undefined where the server does not have it any more.
   */
  resume(from: Position): Promise<Resumed | undefined>;
  close(): void;
}

export interface Copy extends Position {
  /** The RDB. @throws RekindleError "tryAgain" where it breaks off. */
  readonly rdb: AsyncIterable<Buffer>;
}

export interface Resumed extends Position {
  /** As they come, in pieces of any size. @throws RekindleError "tryAgain" when the connection breaks. */
  readonly commands: AsyncIterable<Buffer>;
  /** Tells the server up to where (the offset of the next byte) its stream is safe with us. */
  acknowledge(offset: number): void;
  close(): void;
}

/** A server says something each second while it prepares a copy, and each ten seconds (`repl-ping-replica-period`) in the stream. */
const silenceMsMax = 60_000;

/**
 * Sentinel takes every replica that an alpha names for one that it could promote, and never forgets it. One at a port that no
 * server can have it passes over (`createSentinelAddr`), and so do we (`parseBetas`).
 */
const noServersPort = 65_536;

/** @throws RekindleError, or what `connect` throws. */
export async function connectAsReplica(
  address: Address,
  options: StreamOptions,
): Promise<ReplicaConnection> {
  options.signal?.throwIfAborted();
  const connection = await connect(address, options);
  const [first, , info] = await connection.send([
    ["REPLCONF", "listening-port", noServersPort],
    ["REPLCONF", "capa", "eof", "capa", "psync2"],
    ["INFO", "server"],
  ]);
  if (first instanceof ReplyError) {
    connection.close();
    throw denied(address, first.message, options);
  }
  const server = readServer(parseInfo(String(info)));
  // Valkey 9 gives one that does not say its version what an older one can load, or nothing where its data has what that cannot.
  if (server.name === "valkey") await connection.send([["REPLCONF", "version", server.version]]);
  const where = formatAddress(address);
  const open = (): Feed => openFeed(connection.detach(), where, options.signal);
  return {
    server,
    async copy() {
      // From Redis 6.2 on the server need not keep what is written meanwhile for us; before, it does not know the word.
      await connection.send([["REPLCONF", "rdb-only", 1]]);
      const feed = open();
      const answer = await feed.ask(["PSYNC", "?", -1]);
      const [, history = "", offset] = /^\+FULLRESYNC (\w+) (\d+)/.exec(answer) ?? [];
      if (offset === undefined) throw refused(feed, address, answer, options);
      return { history, offset: Number(offset) + 1, rdb: feed.readCopy() };
    },
    async resume({ history, offset }) {
      const feed = open();
      const answer = await feed.ask(["PSYNC", history, offset]);
      if (answer.startsWith("+FULLRESYNC")) {
        feed.close(new Error("it has not got it"));
        return undefined;
      }
      const [, next = history] = /^\+CONTINUE(?: (\w{40}))?/.exec(answer) ?? [];
      if (!answer.startsWith("+CONTINUE")) throw refused(feed, address, answer, options);
      return {
        history: next,
        offset,
        commands: feed.readCommands(),
        acknowledge: (upTo) => feed.say(["REPLCONF", "ACK", upTo - 1]),
        close: () => feed.close(new Error("closed by us")),
      };
    },
    close: () => {
      connection.detach().destroy();
    },
  };
}

interface Feed {
  ask(command: Command): Promise<string>;
  say(command: Command): void;
  readCopy(): AsyncIterable<Buffer>;
  readCommands(): AsyncIterable<Buffer>;
  close(why: Error): void;
}

function openFeed(socket: Socket, where: string, signal: AbortSignal | undefined): Feed {
  const reader = createFeedReader();
  const pieces = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const waiting: Sent[] = [];
  let isCopying = false;
  const onAbort = () => socket.destroy(signal?.reason as Error);
  signal?.addEventListener("abort", onAbort, { once: true });
  // Whoever reads is told by the reading; in between nobody would hear it.
  socket.on("error", () => {}).once("close", () => signal?.removeEventListener("abort", onAbort));

  async function next(): Promise<Sent> {
    while (waiting.length === 0) {
      const timer = setTimeout(
        () => socket.destroy(new Error(`it was silent for ${silenceMsMax} ms`)),
        silenceMsMax,
      );
      try {
        const { done, value } = await pieces.next();
        if (done) throw new Error("it closed the connection");
        waiting.push(...reader.push(value));
      } catch (thrown) {
        signal?.throwIfAborted();
        socket.destroy();
        throw broken(where, thrown, isCopying);
      } finally {
        clearTimeout(timer);
      }
    }
    return waiting.shift() as Sent;
  }
  const say = (command: Command): void => {
    socket.write(encodeCommands([command]));
  };

  return {
    say,
    async ask(command) {
      say(command);
      const sent = await next();
      return sent.kind === "line" ? sent.line : "";
    },
    async *readCopy() {
      isCopying = true;
      try {
        for (let sent = await next(); sent.kind !== "rdb-end"; sent = await next())
          if (sent.kind === "rdb") yield sent.bytes;
      } finally {
        socket.destroy();
      }
    },
    async *readCommands() {
      try {
        for (;;) {
          const sent = await next();
          if (sent.kind === "commands") yield sent.bytes;
        }
      } finally {
        socket.destroy();
      }
    },
    close: (why) => socket.destroy(why),
  };
}

function broken(where: string, cause: unknown, isCopying: boolean): RekindleError {
  const during = isCopying ? "in the middle of the copy" : "in the replication stream";
  return new RekindleError("tryAgain", `${where} broke off ${during}: ${messageOf(cause)}`, {
    hint: isCopying
      ? "look into its log: where it speaks of output buffer limits, raise its client-output-buffer-limit for replicas; where of a timeout, its repl-timeout"
      : "look into its log",
    cause,
  });
}

function refused(feed: Feed, address: Address, answer: string, options: StreamOptions): Error {
  feed.close(new Error(answer));
  const where = formatAddress(address);
  if (/^-(NOPERM|NOAUTH|ERR unknown command)/.test(answer))
    return denied(address, answer.slice(1), options);
  return new RekindleError("tryAgain", `${where} gives no copy: ${answer.slice(1, 200)}`, {
    hint: "look into its log",
  });
}

function denied(address: Address, message: string, { credentials }: StreamOptions): RekindleError {
  const user = credentials.user ?? "default";
  return new RekindleError(
    "configuration",
    `${formatAddress(address)} does not take us for a replica: ${message}`,
    {
      hint: `a replica's user may send PSYNC, REPLCONF and PING: ACL SETUSER ${user} +psync +replconf +ping`,
    },
  );
}
