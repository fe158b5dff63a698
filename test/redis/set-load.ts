/**
 * A client that asks the Sentinels, and writes and reads while a test does something to the set.
 */
import { Redis } from "ioredis";
import { type AskOptions, ask } from "./nodes-under-test.ts";

export interface Place {
  readonly port: number;
  /** Without it this machine. */
  readonly ip?: string;
}

export interface SetLoad {
  /** How many were acknowledged so far. */
  writes(): number;
  /** Milliseconds without an accepted write, the longest such time. */
  longestPauseMs(): number;
  /** Ends it. @returns the requests that the client gave up, in its words. */
  end(): Promise<readonly string[]>;
  /** How many acknowledged writes are not on this node. Its own client may still be with one that is no alpha any more. */
  countLost(alpha: Place): Promise<number>;
}

/** An ordinary ioredis client that asks the Sentinels, and writes and reads all the while. */
export function startLoad(set: {
  readonly sentinels: readonly Place[];
  readonly access: AskOptions;
}): SetLoad {
  const password = set.access.password?.toString();
  const { user: username, tls: files } = set.access;
  // The test's authority has signed the certificates, and not for an address.
  const tls = files && { ...files, checkServerIdentity: () => undefined };
  const client = new Redis({
    sentinels: set.sentinels.map(({ ip = "127.0.0.1", port }) => ({ host: ip, port })),
    name: "mymaster",
    maxRetriesPerRequest: null,
    // What is measured is the servers' time, not how long a client sleeps.
    retryStrategy: () => 50,
    sentinelRetryStrategy: () => 50,
    ...(password && { password, sentinelPassword: password }),
    ...(username && { username }),
    ...(tls && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
  });
  client.on("error", () => {});
  const acknowledged = new Map<string, string>();
  const failures: string[] = [];
  let [isEnding, writes, longest, last] = [false, 0, 0, performance.now()];
  const work = (async () => {
    for (let turn = 0; !isEnding; turn++) {
      // Each key once: what was lost must not be written again.
      const [key, value] = [`load:${turn}`, `${turn}`];
      try {
        await client.set(key, value);
        acknowledged.set(key, value);
        writes++;
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
        await client.get(key);
      } catch (thrown) {
        failures.push((thrown as Error).message);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    writes: () => writes,
    longestPauseMs: () => longest,
    async end() {
      isEnding = true;
      await work;
      client.disconnect();
      return failures;
    },
    async countLost(alpha) {
      const entries = [...acknowledged];
      const commands = entries.map(([key]) => ["GET", key]);
      const found = await ask(alpha, commands, set.access);
      return entries.filter(([, value], index) => found[index] !== value).length;
    },
  };
}
