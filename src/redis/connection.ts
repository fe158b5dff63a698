/**
 * A connection to one redis-server for the way to the server's own start: small, at once, with a deadline on everything.
 *
 * ioredis serves everywhere else. Here it would more than double a boot's CPU time: loading it costs as much as Node's
 * whole start (`npm run bench` prints both), and six booting nodes share few cores.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { type Command, createReplyReader, encodeCommands, type Reply, ReplyError } from "./resp.ts";

export interface Credentials {
  readonly user: string | undefined;
  readonly password: Buffer | undefined;
}

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

export interface ConnectOptions {
  readonly credentials: Credentials;
  readonly tls: TlsFiles | undefined;
  /** A Unix socket, instead of the address. */
  readonly socketPath?: string;
  /** For connecting with TLS and password, and again for each round of commands. */
  readonly deadlineMs: number;
  /** Gets what the server sends without having been asked. */
  readonly onUnasked?: (sent: Reply) => void;
}

export interface Connection {
  readonly address: Address;
  /** False once the other side or a deadline has ended it. */
  readonly open: boolean;
  /**
   * Sends the commands at once; error replies are among the replies.
   *
   * @throws Error when the connection breaks or the deadline passes: then it is unknown which commands were carried out.
   */
  send(commands: readonly Command[]): Promise<readonly Reply[]>;
  /** Everything that the server sends from now on is the caller's, who also ends it. The socket is paused. */
  detach(): Socket;
  close(): void;
}

/** The server answered, but does not let us in: the password, the user, TLS or the protocol do not fit. */
export class DeniedError extends Error {}

/**
 * Connects and authenticates.
 *
 * @throws DeniedError, or a system error with its `code` where nobody answers.
 */
export async function connect(address: Address, options: ConnectOptions): Promise<Connection> {
  const socket = await openSocket(address, options);
  const connection = overSocket(socket, address, options);
  const { user, password } = options.credentials;
  if (password === undefined) return connection;
  const [reply] = await connection.send([
    user === undefined ? ["AUTH", password] : ["AUTH", user, password],
  ]);
  // A server without a password answers ERR to AUTH; the one that asks for none lets everybody in.
  if (reply instanceof ReplyError && !reply.message.includes("no password is set")) {
    connection.close();
    throw new DeniedError(`${formatAddress(address)} refuses our password: ${reply.message}`, {
      cause: reply,
    });
  }
  return connection;
}

async function openSocket(
  address: Address,
  { tls, deadlineMs, socketPath }: ConnectOptions,
): Promise<Socket> {
  // Loading TLS costs 10 ms of CPU; most clusters do without.
  const socket =
    tls === undefined
      ? connectTcp(
          socketPath === undefined
            ? { host: address.ip, port: address.port, noDelay: true }
            : { path: socketPath },
        )
      : (await import("node:tls")).connect({
          host: address.ip,
          port: address.port,
          ...tls,
          // Pods have no names that a certificate could hold before they exist; the authority is what is checked.
          checkServerIdentity: () => undefined,
        });
  const ready = tls === undefined ? "connect" : "secureConnect";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(Object.assign(new Error(`no answer within ${deadlineMs} ms`), { code: "ETIMEDOUT" }));
    }, deadlineMs);
    socket.once(ready, () => {
      clearTimeout(timer);
      socket.removeListener("error", failed);
      resolve(socket);
    });
    socket.once("error", failed);
    function failed(thrown: NodeJS.ErrnoException): void {
      clearTimeout(timer);
      const refusedByTls = tls !== undefined && !isNetworkCode(thrown.code);
      reject(
        refusedByTls
          ? new DeniedError(`${formatAddress(address)}: TLS: ${thrown.message}`, { cause: thrown })
          : thrown,
      );
    }
  });
}

const networkCodes = [
  "ECONNREFUSED",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "EHOSTDOWN",
];
/** Nobody was there to answer. */
export const isNetworkCode = (code: string | undefined): boolean =>
  code !== undefined && networkCodes.includes(code);

interface Waiting {
  readonly replies: Reply[];
  readonly count: number;
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (thrown: Error) => void;
  readonly timer: NodeJS.Timeout;
}

function overSocket(
  socket: Socket,
  address: Address,
  { deadlineMs, onUnasked }: ConnectOptions,
): Connection {
  const reader = createReplyReader();
  const queue: Waiting[] = [];
  let open = true;

  function end(why: Error): void {
    if (!open) return;
    open = false;
    socket.destroy();
    for (const waiting of queue.splice(0)) {
      clearTimeout(waiting.timer);
      waiting.reject(why);
    }
  }
  function take(bytes: Buffer): void {
    for (const reply of reader.push(bytes)) {
      const waiting = queue[0];
      if (waiting === undefined) {
        onUnasked?.(reply);
        continue;
      }
      waiting.replies.push(reply);
      if (waiting.replies.length < waiting.count) continue;
      queue.shift();
      clearTimeout(waiting.timer);
      waiting.resolve(waiting.replies);
    }
  }
  const onData = (bytes: Buffer): void => {
    try {
      take(bytes);
    } catch (thrown) {
      end(new DeniedError(`${formatAddress(address)}: ${(thrown as Error).message}`));
    }
  };
  const onClose = (): void =>
    end(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
  socket.on("data", onData).on("error", end).on("close", onClose);

  return {
    address,
    get open() {
      return open;
    },
    send(commands) {
      return new Promise((resolve, reject) => {
        if (!open)
          return reject(
            Object.assign(new Error("the connection is closed"), { code: "ECONNRESET" }),
          );
        const timer = setTimeout(
          () =>
            end(
              Object.assign(new Error(`no answer within ${deadlineMs} ms`), { code: "ETIMEDOUT" }),
            ),
          deadlineMs,
        );
        queue.push({ replies: [], count: commands.length, resolve, reject, timer });
        socket.write(encodeCommands(commands));
      });
    },
    detach() {
      open = false;
      return socket.pause().off("data", onData).off("error", end).off("close", onClose);
    },
    close() {
      end(new Error("closed by us"));
    },
  };
}
