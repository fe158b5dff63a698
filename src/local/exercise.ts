/**
 * What the exercises of `rekindle up --exercise` have in common: keys that must survive, and a clock for the steps.
 */
import type { Cluster, Redis } from "ioredis";
import type { Terminal } from "../status/terminal.ts";

const keys = Array.from({ length: 3_000 }, (_, index) => `exercise:${index}`);

type Client = Cluster | Redis;

/** For clients of either kind: a command that is not answered fails. */
export const commandTimeout = 10_000;

/**
 * Returns when all are copied: only those must survive the kill. A beta whose link is up may get its first command up to a
 * second later (until its alpha has heard from it).
 *
 * @param connectionsOf the client's connections that wrote: a WAIT on another waits for nothing.
 */
export async function writeKeys<C extends Client>(
  client: C,
  connectionsOf: (client: C) => readonly Redis[],
  copies: number,
): Promise<void> {
  await Promise.all(keys.map((key) => client.set(key, key)));
  // Not earlier: a client that is connecting has none yet.
  const counts = await Promise.all(connectionsOf(client).map((one) => one.wait(copies, 5_000)));
  if (counts.length === 0 || counts.some((count) => count < copies))
    throw new Error("the keys were not copied within 5 s");
}

/** Says how many of them are there. @returns the exit code: 0 where all are. */
export async function checkKeys(client: Client, terminal: Terminal): Promise<number> {
  const values = await Promise.all(keys.map((key) => client.get(key)));
  const missing = values.filter((value, index) => value !== keys[index]).length;
  terminal.write(
    missing === 0
      ? `all ${keys.length} keys are there\n`
      : `${missing} of ${keys.length} keys are gone\n`,
  );
  return missing === 0 ? 0 : 1;
}

/** Ends the client when it was used. */
export async function withClient<C extends Client, T>(
  client: C,
  use: (client: C) => Promise<T>,
): Promise<T> {
  // A listener, or an unreachable seed would end this process; the commands tell of errors by themselves.
  client.on("error", () => {});
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** Says each step with the time since the clock was started. */
export function startClock(terminal: Terminal): (what: string) => void {
  const startedAt = performance.now();
  return (what) => {
    const ms = Math.round(performance.now() - startedAt);
    terminal.write(`${ms.toString().padStart(6)} ms  ${what}\n`);
  };
}
