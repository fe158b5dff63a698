/**
 * While it decides, Rekindle answers at the port that will be its server's: for its disk, to those who know the password and
 * the question. To everybody else it is a server that is loading: clients wait, and Sentinels do not take it for an alpha.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Address } from "../address.ts";
import type { Credentials, TlsFiles } from "./connection.ts";
import { createReplyReader, type Reply } from "./resp.ts";

/** What a waiting entrypoint is asked for; no server knows it. */
export const question = ["REKINDLE", "WAITING"] as const;

export interface WaitingRoom {
  /** The port is free again, and whoever was connected is not. */
  close(): Promise<void>;
}

/** What is answered, at each question anew. */
export interface Answers {
  tell(): object;
  /** For an alpha that must not lead: its betas. Sentinels take it for down then, and hear of these. Else undefined. */
  heirs?(): readonly { readonly host: string; readonly port: number }[] | undefined;
}

export async function openWaitingRoom(
  address: Address,
  access: { readonly credentials: Credentials; readonly tls: TlsFiles | undefined },
  answers: Answers,
): Promise<WaitingRoom> {
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    socket.on("error", () => {}); // Whoever asked is gone.
    converse(socket, access.credentials, answers);
  };
  const server = await createListener(access.tls, serve);
  // Those too that are still shaking hands: closing would wait for them.
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address.ip, port: address.port }, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function createListener(
  tls: TlsFiles | undefined,
  serve: (socket: Socket) => void,
): Promise<Server> {
  if (tls === undefined) return createServer(serve);
  const { createServer: createTlsServer } = await import("node:tls");
  return createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, serve);
}

/** A question is short; whoever sends more at once asks for something else. */
const longestQuestion = 4_096;

function converse(socket: Socket, credentials: Credentials, answers: Answers): void {
  let isIn = credentials.password === undefined;
  const reader = createReplyReader();
  socket.on("data", (bytes: Buffer) => {
    if (bytes.length > longestQuestion) return socket.destroy();
    try {
      for (const command of reader.push(bytes)) socket.write(answer(command));
    } catch {
      socket.destroy(); // Not this protocol.
    }
    return undefined;
  });

  function answer(command: Reply): string {
    const words = Array.isArray(command) ? command.map(String) : [];
    const [name = "", ...rest] = words;
    if (name.toUpperCase() === "AUTH") {
      isIn ||= isPassword(rest, credentials);
      return isIn ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n";
    }
    if (!isIn) return "-NOAUTH Authentication required.\r\n";
    if (words.join(" ") === question.join(" ")) return bulk(JSON.stringify(answers.tell()));
    const heirs = answers.heirs?.();
    // To Sentinels an answer of LOADING is a sign of life, as is MASTERDOWN (`sentinelPingReplyCallback`).
    if (heirs && name.toUpperCase() === "PING") return "-ERR Rekindle waits for another alpha\r\n";
    if (heirs && name.toUpperCase() === "INFO") return bulk(tellBetas(heirs));
    return "-LOADING Rekindle decides what this node must be\r\n";
  }
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** What a Sentinel reads of an alpha's INFO (`sentinelRefreshInstanceInfo`). */
const tellBetas = (betas: readonly { readonly host: string; readonly port: number }[]): string =>
  [
    "# Replication",
    "role:master",
    ...betas.map(({ host, port }, index) => `slave${index}:ip=${host},port=${port},state=online`),
    "",
  ].join("\r\n");

function isPassword(given: readonly string[], { user, password }: Credentials): boolean {
  const said = Buffer.from(given.at(-1) ?? "");
  const isUser = given.length === 2 ? given[0] === (user ?? "default") : user === undefined;
  // Not before somebody asks: to load it costs each boot five milliseconds of CPU.
  const { timingSafeEqual } = process.getBuiltinModule("node:crypto");
  return (
    isUser &&
    password !== undefined &&
    said.length === password.length &&
    timingSafeEqual(said, password)
  );
}
