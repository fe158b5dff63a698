/**
 * Finds the server's executable and its version: redis-server or valkey-server, whichever is there.
 */
import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { messageOf, RekindleError } from "../errors.ts";

export interface Server {
  /** Absolute: execve searches no PATH. */
  readonly path: string;
  readonly product: "redis" | "valkey";
  /** Major and minor, compared with `isAtLeast`. */
  readonly version: readonly [major: number, minor: number];
}

const names = ["redis-server", "valkey-server"];
const oldest: Server["version"] = [6, 0];

/**
 * @param named the path or name from the settings; `undefined` searches the PATH.
 * @throws RekindleError `serverNotFound`, or `serverNotUsable` for one that is too old or no server.
 */
export async function findServer(named: string | undefined, searchPath: string): Promise<Server> {
  const path = locate(named, searchPath);
  const output = await askVersion(path);
  const match = /^(Redis|Valkey) server v=(\d+)\.(\d+)/.exec(output);
  if (!match) {
    throw new RekindleError(
      "serverNotUsable",
      `${path} is no Redis or Valkey server: it says "${output.split("\n")[0]}"`,
      {
        hint: "name the server's executable with --server",
      },
    );
  }
  const version = [Number(match[2]), Number(match[3])] as const;
  if (!isAtLeast(version, oldest)) {
    throw new RekindleError(
      "serverNotUsable",
      `${path} is version ${version.join(".")}, older than ${oldest.join(".")}`,
      {
        hint: "use Redis 6.0 or later, or Valkey",
      },
    );
  }
  return { path, product: match[1] === "Valkey" ? "valkey" : "redis", version };
}

export function isAtLeast(version: Server["version"], least: Server["version"]): boolean {
  return version[0] !== least[0] ? version[0] > least[0] : version[1] >= least[1];
}

function locate(named: string | undefined, searchPath: string): string {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== "");
  const wanted = named === undefined ? names : [named];
  const candidates = wanted.flatMap((name) =>
    name.includes("/") ? [resolve(name)] : folders.map((folder) => join(folder, name)),
  );
  const present = candidates.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  const found = present.find(isExecutable);
  if (found !== undefined) return resolve(found);
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

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // That is the answer.
  }
}

function askVersion(path: string): Promise<string> {
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
