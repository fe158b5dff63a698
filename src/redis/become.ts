/**
 * The last thing Rekindle does: it becomes the server. Same process id, no process of ours left.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { messageOf, RekindleError } from "../errors.ts";

export interface ServerStart {
  /** Absolute; execve searches no PATH. */
  readonly path: string;
  readonly configurationFile: string;
  /** Arguments after the configuration file. */
  readonly more?: readonly string[];
  /** It will run Rekindle itself. */
  readonly keepsSettings?: boolean;
}

/**
 * Replaces this process by the server; does not return.
 *
 * Our own settings, the password among them, do not go into the environment of a server that has no use for them.
 */
export function becomeServer(
  { path, configurationFile, more = [], keepsSettings = false }: ServerStart,
  environment: NodeJS.ProcessEnv,
): never {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (keepsSettings || !entry[0].startsWith("REKINDLE_")),
  );
  // The server rewrites its configuration, password and all, with this.
  process.umask(0o077);
  try {
    accessSync(path, constants.X_OK);
    if (process.execve === undefined) throw new Error("this platform has no execve");
    makeStdioBlocking();
    return process.execve(path, [path, configurationFile, ...more], Object.fromEntries(kept));
  } catch (thrown) {
    throw new RekindleError("serverNotUsable", `${path} cannot be started: ${messageOf(thrown)}`, {
      hint: "check that the executable fits this machine",
      cause: thrown,
    });
  }
}

/**
 * Whoever touches `process.stdout` makes a pipe non-blocking, and so may our own parent; the flag outlives execve, and the
 * server would lose log lines whenever its reader is slow. Reading the flag first spares most boots two streams.
 */
function makeStdioBlocking(): void {
  for (const [fd, name] of [
    [1, "stdout"],
    [2, "stderr"],
  ] as const) {
    if (!mayBeNonBlocking(fd)) continue;
    const stream = process[name] as unknown as {
      _handle?: { setBlocking?(blocking: boolean): void };
    };
    stream._handle?.setBlocking?.(true);
  }
}

const O_NONBLOCK = 0o4000;

function mayBeNonBlocking(fd: number): boolean {
  try {
    const flags =
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
    return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
  } catch {
    return true; // No /proc: not known, so the stream decides.
  }
}
