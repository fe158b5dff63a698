/**
 * A server of the same version that loads the new configuration, to see whether it is valid and what it means. It listens at a Unix
 * socket only, holds no data, and ends with this process, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { messageOf, RekindleError } from "../errors.ts";
import { type Connection, type Credentials, connect } from "../redis/connection.ts";
import { type Facts, readFacts } from "./facts.ts";
import { readLife } from "./server-life.ts";
import { serversWords } from "./servers-words.ts";
import { asTheNodeWould, type TrialOptions, trialUser, writeTrial } from "./write-trial.ts";

export interface TryOutOptions extends TrialOptions {
  readonly deadlineMs: number;
}

export interface TryOut {
  /** What the node's server would say of itself with this configuration. */
  readonly facts: Facts;
  /** Of the server that tried it out. */
  readonly version: string;
  readonly connection: Connection;
  end(): void;
}

/** Its folder within the node's: nothing else can be written in a container. */
export const trialPrefix = ".rekindle-reload-";
const lookAgainMs = 10;

/** @throws RekindleError `refused` with the server's own words for a configuration that it does not take. */
export async function tryOut(options: TryOutOptions): Promise<TryOut> {
  const folder = mkdtempSync(join(options.dir, trialPrefix));
  let end = () => rmSync(folder, { recursive: true, force: true });
  try {
    const trial = writeTrial(folder, options);
    const running = startServer(options, join(folder, "redis.conf"));
    const removeFolder = end;
    end = () => {
      running.end();
      removeFolder();
    };
    const connection = await untilItAnswers(running, folder, trial.password, options.deadlineMs);
    const told = await readFacts(connection);
    // Whoever would be locked out by it must not apply it.
    await requireEntry(folder, options.credentials);
    trial.refuse?.();
    return {
      facts: asTheNodeWould(told, trial.directives),
      version: (await readLife(connection)).version,
      connection,
      end() {
        connection.close();
        end();
      },
    };
  } catch (thrown) {
    end();
    throw thrown;
  }
}

interface Running {
  readonly process: ChildProcess;
  said(): string;
  end(): void;
}

function startServer({ server, dir }: TryOutOptions, configurationFile: string): Running {
  const child = spawn(server.path, [configurationFile], {
    // From where the node's server reads its includes.
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, 100_000);
    });
  child.on("error", (thrown) => {
    said += messageOf(thrown);
  });
  // It would outlive us if we were killed: a shell waits for our end.
  const watch = spawn("/bin/sh", ["-c", 'read -r _; kill -KILL "$1"', "sh", `${child.pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  watch.on("error", () => {});
  return {
    process: child,
    said: () => said,
    end() {
      watch.kill("SIGKILL");
      child.kill("SIGKILL");
    },
  };
}

async function untilItAnswers(
  { process: child, said }: Running,
  folder: string,
  password: Buffer,
  deadlineMs: number,
): Promise<Connection> {
  const closed = new Promise<true>((resolve) => child.once("close", () => resolve(true)));
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    const connection = await enter(folder, { user: trialUser, password }).catch(() => undefined);
    if (connection) return connection;
    if (await Promise.race([closed, pause(lookAgainMs, false)])) {
      throw new RekindleError("refused", serversWords(said()), {
        hint: "mend the file; until then the server keeps what it has",
      });
    }
    if (performance.now() > endsAt) {
      throw new RekindleError(
        "tryAgain",
        `a server with the new configuration does not answer within ${deadlineMs} ms`,
        { hint: "give this container more CPU time" },
      );
    }
  }
}

const enter = (folder: string, credentials: Credentials): Promise<Connection> =>
  connect(
    { ip: "", port: 0, busPort: 0 },
    { credentials, tls: undefined, deadlineMs: 2_000, socketPath: join(folder, "socket") },
  );

async function requireEntry(folder: string, credentials: Credentials): Promise<void> {
  try {
    const connection = await enter(folder, credentials);
    const [reply] = await connection.send([["PING"]]);
    connection.close();
    if (reply !== "PONG") throw new Error(String(reply));
  } catch (cause) {
    throw new RekindleError(
      "refused",
      `with this file the server would not let Rekindle in: ${messageOf(cause)}`,
      { hint: "leave Rekindle's user its password and all commands", cause },
    );
  }
}
