/**
 * A server of the same version that loads the new configuration, to see whether it is valid and what it means. It listens at a Unix
 * socket only, holds no data, and ends with this process, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { messageOf, RekindleError } from "../errors.ts";
import { drawNodeId } from "../files.ts";
import { assembleConfiguration } from "../redis/configuration.ts";
import { type Connection, type Credentials, connect } from "../redis/connection.ts";
import type { Server } from "../redis/server.ts";
import {
  type Directive,
  directiveValue,
  quoteArgument,
  readUserConfiguration,
} from "../redis/user-configuration.ts";
import { type Facts, readFacts } from "./facts.ts";
import { userKey } from "./names.ts";
import type { OwnConfiguration } from "./own-configuration.ts";
import { readLife } from "./server-life.ts";
import { serversWords } from "./servers-words.ts";

export interface TryOutOptions {
  readonly dir: string;
  readonly own: OwnConfiguration;
  /** As they are to be. */
  readonly credentials: Credentials;
  readonly server: Server;
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

interface Trial {
  readonly password: Buffer;
  readonly directives: readonly Directive[];
  /** Throws what Rekindle itself has against the file; the server's words come first. */
  readonly refuse?: () => never;
}

function writeTrial(folder: string, options: TryOutOptions): Trial {
  const { own, credentials, server } = options;
  const password = Buffer.from(drawNodeId());
  const ours = {
    owned: withPassword(own, credentials),
    credentials,
    server,
    userFile: own.userFile,
  };
  let directives: readonly Directive[] = [];
  let text: string;
  let refuse: Trial["refuse"];
  try {
    directives = readUserConfiguration(own.userFile);
    text = assembleConfiguration({ ...ours, directives });
  } catch (thrown) {
    refuse = () => {
      throw asRefusal(thrown);
    };
    text = assembleConfiguration({ ...ours, directives: [] });
  }
  const lines = [text, ...harmless(folder, options.dir, directives, password)];
  writeFileSync(join(folder, "redis.conf"), lines.join("\n"), { mode: 0o600 });
  return { password, directives, ...(refuse && { refuse }) };
}

/** What Rekindle refuses at a start it refuses here: the same words, and the running server goes on. */
const asRefusal = (thrown: unknown): RekindleError =>
  new RekindleError("refused", messageOf(thrown), {
    cause: thrown,
    ...(thrown instanceof RekindleError && thrown.hint !== undefined && { hint: thrown.hint }),
  });

function withPassword(
  { owned }: OwnConfiguration,
  { user, password }: Credentials,
): ReadonlyMap<string, string> {
  if (password === undefined) return owned;
  const secret = quoteArgument(password);
  const set = new Map([...owned, ["masterauth", secret]]);
  return user === undefined ? set.set("requirepass", secret) : set;
}

/** Our own way in, whatever users the file has. */
const trialUser = "rekindle-trial";

/** The lines that keep the trial from touching anything, whatever those before them say. */
function harmless(
  folder: string,
  dir: string,
  directives: readonly Directive[],
  password: Buffer,
): readonly string[] {
  const user = `user ${trialUser} reset on >${password} allkeys allcommands`;
  const aclFile = directiveValue(directives, "aclfile");
  const lines = [
    "port 0",
    "tls-port 0",
    "cluster-enabled no",
    `dir ${quoteArgument(folder)}`,
    `unixsocket ${quoteArgument(join(folder, "socket"))}`,
    "unixsocketperm 700",
    "daemonize no",
    "supervised no",
    'pidfile ""',
    'logfile ""',
    "syslog-enabled no",
  ];
  if (!aclFile) return [...lines, user, ""];
  // A server takes its users from one place.
  const path = resolve(dir, Buffer.from(aclFile, "latin1").toString());
  const copy = join(folder, "users.acl");
  try {
    const users = readFileSync(path, "latin1").replace(/\n?$/, "\n");
    writeFileSync(copy, `${users}${user}\n`, { mode: 0o600, encoding: "latin1" });
  } catch {
    return [...lines, `aclfile ${quoteArgument(path)}`, ""]; // The server says what is wrong with it.
  }
  return [...lines, `aclfile ${quoteArgument(copy)}`, ""];
}

/** The settings of `harmless` that are the user's to choose, with what they are without. All of them need a restart. */
const untold: Readonly<Record<string, string>> = {
  unixsocket: "",
  unixsocketperm: "0",
  supervised: "no",
  pidfile: "",
  logfile: "",
  "syslog-enabled": "no",
  aclfile: "",
};

function asTheNodeWould(told: Facts, directives: readonly Directive[]): Facts {
  const facts = new Map(told);
  facts.delete(userKey(trialUser));
  for (const [name, byDefault] of Object.entries(untold))
    facts.set(name, directiveValue(directives, name) ?? byDefault);
  return facts;
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
