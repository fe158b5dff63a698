/**
 * A server for a moment, over a folder, reachable through a socket file only: it loads what is there, answers, and ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { messageOf, RekindleError } from "../errors.ts";
import { type Connection, connect } from "./connection.ts";
import { type Command, type Reply, ReplyError } from "./resp.ts";

export interface ThrowAwayServer extends AsyncDisposable {
  /** Without a deadline, while the server lives. */
  ask(...commands: readonly Command[]): Promise<readonly Reply[]>;
}

/**
 * Returns once everything is loaded.
 *
 * @param settings further ones, as `--name value` on the command line.
 * @throws RekindleError "refused" where the server does not come up, with its last line.
 */
export async function startThrowAwayServer(
  path: string,
  dir: string,
  settings: Readonly<Record<string, string>>,
): Promise<ThrowAwayServer> {
  // The path of a socket file must be short.
  const place = mkdtempSync(join(tmpdir(), "rekindle-"));
  const socketPath = join(place, "s");
  const all = { port: "0", unixsocket: socketPath, dir, save: "", daemonize: "no", ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"] });
  const said = listen(server);
  const ended = new Promise<void>((resolve) => {
    server.once("exit", () => resolve());
    server.once("error", () => resolve());
  });
  let connection: Connection | undefined;

  async function dispose(): Promise<void> {
    connection?.close();
    if (server.exitCode === null && server.signalCode === null) server.kill("SIGKILL");
    await ended;
    rmSync(place, { recursive: true, force: true });
  }

  try {
    connection = await connectOnceThere(socketPath, server, said);
    const { send } = connection;
    const ask: ThrowAwayServer["ask"] = (...commands) =>
      send(commands).catch(() => {
        throw failed(said);
      });
    await untilLoaded(ask);
    return { ask, [Symbol.asyncDispose]: dispose };
  } catch (thrown) {
    await dispose();
    throw thrown;
  }
}

type Said = () => string;

function listen(server: ChildProcess): Said {
  let text = "";
  for (const stream of [server.stdout, server.stderr])
    stream?.on("data", (bytes: Buffer) => {
      text = (text + bytes.toString()).slice(-4_096);
    });
  server.once("error", (thrown) => {
    text = messageOf(thrown);
  });
  return () => {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    return lines.find((line) => /fatal|error|can't|wrong|bad/i.test(line)) ?? lines.at(-1) ?? "";
  };
}

async function connectOnceThere(
  socketPath: string,
  server: ChildProcess,
  said: Said,
): Promise<Connection> {
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined)
      throw failed(said);
    try {
      return await connect({ ip: "", port: 0, busPort: 0 }, { ...ours, socketPath });
    } catch {
      await pause(20); // Not listening yet; whether it still runs is looked at above.
    }
  }
}

/** The longest that a timer takes (2^31 - 1 ms): to save a large set takes as long as it takes, while the server lives. */
const deadlineMs = 2 ** 31 - 1;
const ours = { credentials: { user: undefined, password: undefined }, tls: undefined, deadlineMs };

const failed = (said: Said): RekindleError =>
  new RekindleError("refused", `the server cannot load the data: ${said()}`, {
    hint: "choose another snapshot, or another server with --server",
  });

async function untilLoaded(ask: ThrowAwayServer["ask"]): Promise<void> {
  for (;;) {
    const [reply] = await ask(["PING"]);
    if (!(reply instanceof ReplyError && reply.kind === "LOADING")) return;
    await pause(50);
  }
}
