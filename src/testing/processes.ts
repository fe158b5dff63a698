/**
 * Servers as plain processes on loopback, each with a temporary folder. They end with this process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Address, busPortDistance } from "../address.ts";
import { messageOf } from "../errors.ts";
import { readIfThere } from "../files.ts";
import { findTaken, loopback } from "../local/ports.ts";
import { type Credentials, connect } from "../redis/connection.ts";
import { parseInfo } from "../redis/info.ts";
import { findServer } from "../redis/server.ts";
import { complain } from "./complain.ts";
import type { Ground, Server, ServerSpec } from "./ground.ts";
import { chooseLine } from "./last-words.ts";
import { choosePorts } from "./ports.ts";

export interface ProcessGroundOptions {
  /** The server's executable; redis-server or valkey-server on the PATH by default. */
  readonly server: string | undefined;
  readonly firstPort: number | undefined;
  readonly credentials: Credentials;
}

const startDeadlineMs = 10_000;

/** Sentinels ask for no password. */
const nobody: Credentials = { user: undefined, password: undefined };

interface ProcessServer extends Server {
  move(): Promise<void>;
}

/** @throws Error where there is no server's executable. */
export async function openProcesses(options: ProcessGroundOptions): Promise<Ground> {
  const { path } = await findServer(options.server, process.env.PATH ?? "").catch((cause) => {
    const hint = "install Redis or Valkey, or name its server with withServer()";
    throw complain(messageOf(cause), hint, cause);
  });
  const root = mkdtempSync(join(tmpdir(), "rekindle-testing-"));
  const nextPort = choosePorts(options.firstPort);
  const servers = new Set<ProcessServer>();
  const children = new Set<ChildProcess>();
  const reaper = startReaper(root);
  const noteChildren = () => {
    const pids = [...children].map(({ pid }) => pid);
    writeFileSync(join(root, pidsFile), pids.join(" "), { mode: 0o600 });
  };

  async function findPort(): Promise<number> {
    for (;;) {
      const port = nextPort();
      if ((await findTaken([port, port + busPortDistance])) === undefined) return port;
    }
  }

  async function create(spec: ServerSpec): Promise<ProcessServer> {
    const dir = mkdtempSync(join(root, `${spec.name}-`));
    const file = join(dir, "redis.conf");
    let port = await findPort();
    let child: ChildProcess | undefined;
    const give = (name: string, text: string) =>
      writeFileSync(join(dir, name), text, { mode: 0o600 });
    // Of what the server has rewritten only its alpha stays: see the containers.
    const giveConfiguration = () => {
      const alpha = /^replicaof .*$/m.exec(readIfThere(file) ?? "")?.[0] ?? "";
      give("redis.conf", `port ${port}\nbind ${loopback}\n${spec.config}${alpha}\n`);
    };
    // Nor of what a node calls its shard: see there, too.
    const giveTable = () => {
      const table = readIfThere(join(dir, "nodes.conf")) ?? spec.table;
      if (table !== undefined) give("nodes.conf", table.replaceAll(/,shard-id=[0-9a-f]*/g, ""));
    };

    async function launch(): Promise<void> {
      giveConfiguration();
      giveTable();
      const log = openSync(join(dir, "log"), "a", 0o600);
      try {
        child = await spawnServer(
          path,
          ["redis.conf", ...(spec.isSentinel ? ["--sentinel"] : [])],
          dir,
          log,
        );
      } finally {
        closeSync(log);
      }
      const own = child;
      children.add(own);
      noteChildren();
      own.once("exit", () => {
        children.delete(own);
        // Whoever has its pid later is not ours.
        if (existsSync(root)) noteChildren();
      });
    }
    async function move(): Promise<void> {
      port = await findPort();
    }
    /** Somebody may have taken the port since it was found free. */
    async function start(): Promise<void> {
      for (;;) {
        await launch();
        if (await untilListening(child, port, spec.isSentinel ? nobody : options.credentials))
          return;
        const words = lastWordsIn(dir);
        if (!/already in use/i.test(words)) throw cannotStart(spec.name, words);
        await move();
      }
    }
    const server: ProcessServer = {
      get inner(): Address {
        return { ip: loopback, port, busPort: port + busPortDistance };
      },
      get outer() {
        return { host: loopback, port };
      },
      start,
      move,
      kill: () => endProcess(child),
      pause: async () => void child?.kill("SIGSTOP"),
      resume: async () => void child?.kill("SIGCONT"),
      cutOff: refuseCut,
      reconnect: refuseCut,
      async remove() {
        await endProcess(child);
        servers.delete(server);
        rmSync(dir, { recursive: true, force: true });
      },
      lastWords: async () => (isRunning(child) ? undefined : lastWordsIn(dir)),
    };
    servers.add(server);
    await start();
    return server;
  }

  return {
    announcedHost: undefined,
    create,
    async restartAll(chosen, newAddresses) {
      const own = [...servers].filter((server) => chosen.includes(server));
      await Promise.all(own.map((server) => server.kill()));
      if (newAddresses) for (const server of own) await server.move();
      await Promise.all(own.map((server) => server.start()));
    },
    async end() {
      await Promise.all([...children].map(endProcess));
      rmSync(root, { recursive: true, force: true });
      reaper.stdin.end();
    },
  };
}

const pidsFile = "pids";

/** Ends what is left when this process ends, whatever ended it: then the pipe that it reads is closed. */
function startReaper(root: string) {
  const script = `cat; kill -9 $(cat ${pidsFile}); rm -rf "$0"`;
  const reaper = spawn("sh", ["-c", script, root], {
    cwd: root,
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // A Ctrl-C is for the others.
  });
  reaper.unref();
  (reaper.stdin as Socket).unref();
  return reaper;
}

async function spawnServer(
  path: string,
  args: readonly string[],
  cwd: string,
  log: number,
): Promise<ChildProcess> {
  const child = spawn(path, args, {
    cwd,
    stdio: ["ignore", log, log],
    env: { PATH: process.env.PATH },
  });
  await once(child, "spawn");
  child.unref();
  return child;
}

const isRunning = (child: ChildProcess | undefined): boolean =>
  child !== undefined && child.exitCode === null && child.signalCode === null;

async function endProcess(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || !isRunning(child)) return;
  const ended = once(child, "exit");
  child.ref();
  child.kill("SIGKILL");
  await ended;
}

/** @returns false where it ended. By its own process id: somebody else may listen there. */
async function untilListening(
  child: ChildProcess | undefined,
  port: number,
  credentials: Credentials,
): Promise<boolean> {
  const options = { credentials, tls: undefined, deadlineMs: 1_000 };
  const deadline = performance.now() + startDeadlineMs;
  while (performance.now() < deadline) {
    if (!isRunning(child)) return false;
    try {
      const connection = await connect({ ip: loopback, port, busPort: 0 }, options);
      const [info] = await connection.send([["INFO", "server"]]).finally(connection.close);
      if (Number(parseInfo(String(info)).get("process_id")) === child?.pid) return true;
    } catch {
      // Not yet, or another one's server; the deadline ends this.
    }
    await pause(10);
  }
  throw complain(
    `the server at port ${port} does not answer within ${startDeadlineMs} ms`,
    "see what else keeps this machine busy, and try again",
  );
}

/** It may be long, and its end is what counts. */
const lastWordsIn = (dir: string): string =>
  chooseLine(readFileSync(join(dir, "log"), "utf8").slice(-50_000));

const cannotStart = (name: string, words: string): Error =>
  complain(`${name} cannot be started: ${words}`, "change what withConfig() gives");

/** A process that is held answers nobody either, but it is no cut: when it goes on, its connections are still there. */
function refuseCut(): Promise<never> {
  throw complain(
    "processes share one loopback, and cannot be cut off from each other",
    "use pause(), after which nobody gets an answer, or containers",
  );
}
