/**
 * Starts local servers of any topology with either backend.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { findServer } from "../redis/server.ts";
import type { Backend } from "./local-servers.ts";
import { type Member, pick } from "./members.ts";
import { findPorts, loopback } from "./ports.ts";
import { type ProcessNode, runProcesses } from "./processes.ts";

export interface LocalOptions {
  readonly backend?: "processes" | "containers";
  /** The first port, and the next ones for the others. Without it, the first free ones from 7001 on. */
  readonly port?: number | undefined;
  /** Processes: the server's executable. */
  readonly server?: string | undefined;
  /** Processes: a redis.conf of your own. Without one, nodes listen on loopback only and write no snapshots. */
  readonly config?: string | undefined;
  /** Containers: the image; `rekindle:latest` by default. */
  readonly image?: string | undefined;
  /** Containers: the label by which `down` finds them. */
  readonly name?: string | undefined;
  /** Processes: where the nodes' folders go; a new temporary folder by default. They are removed in the end. */
  readonly root?: string | undefined;
  /** Ends the start early; what was started ends, too. */
  readonly signal?: AbortSignal;
  /** Processes: told at every change, for those who keep state. */
  readonly onChange?: (nodes: readonly ProcessNode[]) => void;
}

/** Who is started, and how. */
export interface Roster {
  readonly nodes: number;
  readonly sentinels: number;
  /** A member's command line, but for its folder. */
  command(member: Member, all: Places): readonly string[];
}

/** As `host:port`, separated by commas. */
export interface Places {
  readonly nodes: string;
  readonly sentinels: string;
}

const defaultPort = 7001;
/** So many were started without a name, which must not share one. */
let unnamed = 0;

export function startBackend(roster: Roster, options: LocalOptions): Promise<Backend> {
  return options.backend === "containers"
    ? startContainers(roster, options)
    : startProcesses(roster, options);
}

async function startContainers(roster: Roster, options: LocalOptions): Promise<Backend> {
  const { runContainers } = await import("./containers.ts");
  const { image = "rekindle:latest", signal } = options;
  const name = options.name ?? `${process.pid}-${++unnamed}`;
  const members = [
    ...count(roster.nodes, (index) => ({ name: `rekindle-${name}-${index}`, port: 6379 })),
    ...count(roster.sentinels, (index) => {
      return { name: `rekindle-${name}-sentinel-${index}`, port: 26_379, isSentinel: true };
    }),
  ];
  const all = placesOf(members, (member) => member.name);
  const command = (member: Member) => roster.command(member, all);
  return runContainers(members, { image, name, signal, command });
}

async function startProcesses(roster: Roster, options: LocalOptions): Promise<Backend> {
  // Each node would say that it is missing; once is enough, and before anything is started.
  await findServer(options.server, process.env.PATH ?? "");
  const names = [
    ...count(roster.nodes, (index) => ({ name: `node-${index}` })),
    ...count(roster.sentinels, (index) => ({ name: `sentinel-${index}`, isSentinel: true })),
  ];
  const first = options.port ?? defaultPort;
  const ports = await findPorts(names.length, first, options.port !== undefined);
  const root = options.root ?? mkdtempSync(join(tmpdir(), "rekindle-"));
  const members = names.map((one, index): ProcessNode => {
    const port = ports[index] ?? 0;
    return { ...one, port, dir: join(root, one.name), identity: undefined };
  });
  const all = placesOf(members, () => loopback);
  const server = options.server === undefined ? [] : ["--server", absolute(options.server)];
  const backend = runProcesses(members, {
    root,
    config: options.config && resolve(options.config),
    command: (member) => [...roster.command(member, all), ...server],
    onChange: options.onChange ?? (() => {}),
  });
  options.onChange?.(members);
  try {
    options.signal?.throwIfAborted();
    await Promise.all(members.map(({ name }) => backend.start(name, true)));
  } catch (thrown) {
    await backend.end();
    throw thrown;
  }
  return backend;
}

/** Counted from one. */
const count = <T>(length: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length }, (_, index) => make(index + 1));

function placesOf(members: readonly Member[], hostOf: (member: Member) => string): Places {
  const list = (some: readonly Member[]) =>
    some.map((member) => `${hostOf(member)}:${member.port}`).join(",");
  return { nodes: list(pick(members, "nodes")), sentinels: list(pick(members, "sentinels")) };
}

/** A bare name is searched on the PATH; a path is the caller's, who may be in another folder than the nodes. */
const absolute = (server: string): string => (server.includes("/") ? resolve(server) : server);
