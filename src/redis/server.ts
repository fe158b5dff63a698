/**
 * Finds the server's executable, redis-server or valkey-server, whichever is there, and what it can do.
 */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { messageOf, RekindleError } from "../errors.ts";

export interface Server {
  /** Absolute: execve searches no PATH. */
  readonly path: string;
  /** `cluster-port`, new in 7.0. */
  readonly hasBusPort: boolean;
  /** Channels in ACL rules, new in 6.2. */
  readonly hasChannelRules: boolean;
  /** Its Sentinels announce names, and resolve them anew: 6.2.7 (redis#10146). */
  readonly hasHostnames: boolean;
}

export interface ServerVersion {
  readonly name: "redis" | "valkey";
  /** `7.0.15`. */
  readonly version: string;
}

const names = ["redis-server", "valkey-server"];

/**
 * @param named the path or name from the settings; `undefined` searches the PATH.
 * @throws RekindleError `serverNotFound`, or `serverNotUsable` for one that is older than 6.0, or no server.
 */
export async function findServer(named: string | undefined, searchPath: string): Promise<Server> {
  const path = locate(named, searchPath);
  return inspect(path) ?? askVersion(path);
}

/**
 * By the names of settings that the executable holds: running it to ask for its version would cost a boot as much CPU time as
 * reading all peers. Undefined for a wrapper script, or for a server without what 6.0 brought.
 */
function inspect(path: string): Server | undefined {
  const bytes = readFileSync(path);
  // As bytes: Node searches for a string three times as long.
  const holds = (word: string) => bytes.includes(Buffer.from(word));
  if (!holds("io-threads")) return undefined;
  return {
    path,
    hasBusPort: holds("cluster-port"),
    hasChannelRules: holds("allchannels"),
    hasHostnames: holds("Failed to resolve hostname"),
  };
}

async function askVersion(path: string): Promise<Server> {
  const output = await runVersion(path);
  const said = parseVersion(output);
  if (!said) {
    throw new RekindleError(
      "serverNotUsable",
      `${path} is no Redis or Valkey server: it says "${output.split("\n")[0]}"`,
      { hint: "name the server's executable with --server" },
    );
  }
  const [major = 0, minor = 0, patch = 0] = said.version.split(".").map(Number);
  if (major < 6) {
    throw new RekindleError(
      "serverNotUsable",
      `${path} is version ${major}.${minor}, older than 6.0`,
      { hint: "use Redis 6.0 or later, or Valkey" },
    );
  }
  return {
    path,
    hasBusPort: major >= 7,
    hasChannelRules: major >= 7 || minor >= 2,
    hasHostnames: major >= 7 || (minor === 2 && patch >= 7),
  };
}

/** @throws RekindleError `configuration` where a name is to be announced that the server's Sentinels would not resolve. */
export function requireHostnames({ path, hasHostnames }: Server, name: string | undefined): void {
  if (name === undefined || hasHostnames) return;
  throw new RekindleError(
    "configuration",
    `${path} is older than 6.2.7, whose Sentinels do not find a node again by its name`,
    { hint: "leave --announce-hostname out, or use Redis 6.2.7 or later" },
  );
}

/** Of what `--version` prints; undefined for what is no server's. */
export function parseVersion(output: string): ServerVersion | undefined {
  const [, name, version] = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(output) ?? [];
  return version === undefined
    ? undefined
    : { name: name === "Redis" ? "redis" : "valkey", version };
}

export async function runVersion(path: string): Promise<string> {
  const { execFile } = await import("node:child_process");
  return new Promise((resolve, reject) => {
    execFile(path, ["--version"], { timeout: 10_000 }, (thrown, stdout) => {
      if (thrown === null) return resolve(stdout);
      reject(
        new RekindleError("serverNotUsable", `${path} --version: ${messageOf(thrown)}`, {
          hint: "check that the executable fits this machine",
          cause: thrown,
        }),
      );
    });
  });
}

function locate(named: string | undefined, searchPath: string): string {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== "");
  const wanted = named === undefined ? names : [named];
  const candidates = wanted.flatMap((name) =>
    name.includes("/") ? [resolve(name)] : folders.map((folder) => join(folder, name)),
  );
  const present = candidates.filter(isFile);
  const found = present.find(isExecutable);
  if (found !== undefined) return found;
  if (present[0] !== undefined) {
    throw new RekindleError("serverNotUsable", `${present[0]} is not executable`, {
      hint: "check its permissions",
    });
  }
  throw new RekindleError("serverNotFound", `${named ?? names.join(" or ")} was not found`, {
    hint: named?.includes("/")
      ? "check the path in --server"
      : "install Redis or Valkey, or name the executable with --server",
  });
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false; // In a folder of the PATH that is not this user's to search: a shell passes it over, too.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // That is the answer.
  }
}
