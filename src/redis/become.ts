/**
 * The last thing Rekindle does: it becomes the server. Same process id, no process of ours left.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { messageOf, RekindleError } from "../errors.ts";

/**
 * Replaces this process by the server; does not return.
 *
 * Our own settings, the password among them, do not go into the server's environment.
 *
 * @param path absolute; execve searches no PATH.
 * @param more arguments after the configuration file.
 */
export function becomeServer(
  path: string,
  configurationFile: string,
  environment: NodeJS.ProcessEnv,
  more: readonly string[] = [],
): never {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !entry[0].startsWith("REKINDLE_"),
  );
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
