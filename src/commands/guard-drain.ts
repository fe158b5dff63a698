/**
 * Somebody who outlives a drain that is killed while it holds writes back: a shell that waits for its end, and then becomes a drain
 * that goes on. A second Rekindle from the start would cost a pod the memory that its server needs.
 */
import { once } from "node:events";
import type { LeftBehind } from "../replication/hold-writes.ts";

/** Told to that drain; not a setting. */
const variable = "REKINDLE_DRAIN_LEFT_BEHIND";

/**
 * @param args the drain's, its verb first.
 * @see HoldGuard. What it does is told where this process tells it.
 */
export async function guardDrain(
  left: LeftBehind,
  args: readonly string[],
): Promise<{ dismiss(): void }> {
  const { spawn } = await import("node:child_process");
  const own = [process.execPath, ...args];
  const child = spawn("/bin/sh", ["-c", 'read -r _ || exec "$@"', "sh", ...own], {
    stdio: ["pipe", "inherit", "inherit"],
    // Whoever ends this process and its group does not end that one.
    detached: true,
    env: { ...process.env, [variable]: JSON.stringify(left) },
  });
  await once(child, "spawn");
  child.unref();
  child.stdin.on("error", () => {}); // It is gone, and there is nobody else to ask.
  return { dismiss: () => child.stdin.end("done\n") };
}

/** What a drain was told that goes on for another. */
export function readLeftBehind(environment: NodeJS.ProcessEnv): LeftBehind | undefined {
  const told = environment[variable];
  return told === undefined ? undefined : (JSON.parse(told) as LeftBehind);
}
