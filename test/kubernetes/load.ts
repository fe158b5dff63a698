/**
 * What an application does, all the while something is done to the cluster: writes and reads through an ordinary ioredis
 * cluster client, remembers every write that was acknowledged, and reads all of them back at the end. Runs in a pod of its
 * own.
 *
 * SIGUSR2 ends the load; one line `{"summary":…}` follows.
 */
import { readFileSync } from "node:fs";
import { Cluster, Redis } from "ioredis";

export interface Summary {
  readonly writes: number;
  readonly reads: number;
  /** Requests that the client gave up, with its words. */
  readonly failures: readonly { readonly at: string; readonly what: string }[];
  /** Reads that gave something else than what was acknowledged. */
  readonly wrongReads: number;
  /** Acknowledged writes that were not there at the end. */
  readonly lost: number;
  /** The longest time that one request took, in milliseconds. */
  readonly longestMs: number;
  /** For each third of the slots: the longest time without an answer, in milliseconds, and when it ended. */
  readonly pauses: readonly { readonly ms: number; readonly at: string }[];
}

const workers = 6;
const pauseMs = Number(process.env.LOAD_PAUSE_MS ?? 20);
const password = readFileSync(
  process.env.LOAD_PASSWORD_FILE ?? "/etc/redis-secret/password",
  "utf8",
);

const host = process.env.LOAD_HOST ?? "redis";
// A pod that is gone refuses nothing: by default ioredis would wait ten seconds for it.
const redisOptions = { password: password.trim(), connectTimeout: 1_000 };

// An application that would rather wait than fail; everything else as ioredis has it.
const client = process.env.LOAD_SET
  ? new Redis({
      ...redisOptions,
      sentinels: [{ host, port: 26_379 }],
      name: process.env.LOAD_SET,
      sentinelPassword: redisOptions.password,
      maxRetriesPerRequest: null,
      // What is measured is the servers' time, not how long a client sleeps.
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
    })
  : new Cluster([{ host, port: 6379 }], { redisOptions, maxRedirections: 100 });
client.on("error", () => {});

const acknowledged = new Map<string, string>();
const failures: { at: string; what: string }[] = [];
const pauses = [0, 1, 2].map(() => ({ ms: 0, at: "", last: performance.now() }));
let [writes, reads, wrongReads, longestMs] = [0, 0, 0, 0];
let isEnding = false;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One tag for each third of the slots, found by trying. */
const tags = [0, 1, 2].map((third) => {
  for (let i = 0; ; i++) if (Math.floor((slotOf(`t${i}`) / 16_384) * 3) === third) return `{t${i}}`;
});

/** CRC16 as Redis cuts keys into slots (XMODEM). */
function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc % 16_384;
}

async function ask<T>(
  third: number,
  what: string,
  request: () => Promise<T>,
): Promise<T | undefined> {
  const startedAt = performance.now();
  try {
    const answer = await request();
    const now = performance.now();
    const pause = pauses[third];
    if (pause) {
      if (now - pause.last > pause.ms)
        [pause.ms, pause.at] = [now - pause.last, new Date().toISOString()];
      pause.last = now;
    }
    longestMs = Math.max(longestMs, now - startedAt);
    return answer;
  } catch (thrown) {
    failures.push({ at: new Date().toISOString(), what: `${what}: ${(thrown as Error).message}` });
    return undefined;
  }
}

async function work(worker: number): Promise<void> {
  const third = worker % 3;
  for (let turn = 0; !isEnding; turn++) {
    const key = `${tags[third]}:${worker}:${turn}`;
    const value = `${worker}-${turn}-${Math.random()}`;
    if ((await ask(third, "SET", () => client.set(key, value))) === "OK") {
      acknowledged.set(key, value);
      writes++;
    }
    const back = await ask(third, "GET", () => client.get(key));
    if (back !== undefined) {
      reads++;
      if (acknowledged.has(key) && back !== value) wrongReads++;
    }
    await sleep(pauseMs);
  }
}

async function readBack(): Promise<number> {
  let lost = 0;
  for (const [key, value] of acknowledged) if ((await client.get(key)) !== value) lost++;
  return lost;
}

process.once("SIGTERM", () => process.exit(0));
const ended = new Promise<void>((resolve) => {
  process.once("SIGUSR2", () => {
    isEnding = true;
    resolve();
  });
});
await new Promise<void>((resolve) => client.once("ready", () => resolve()));
console.log(JSON.stringify({ ready: true }));
for (const pause of pauses) pause.last = performance.now();
const report = setInterval(
  () =>
    console.log(
      JSON.stringify({ at: new Date().toISOString(), writes, reads, failed: failures.length }),
    ),
  1_000,
);
await Promise.all([...Array.from({ length: workers }, (_, worker) => work(worker)), ended]);
clearInterval(report);
const summary: Summary = {
  writes,
  reads,
  failures,
  wrongReads,
  lost: await readBack(),
  longestMs: Math.round(longestMs),
  pauses: pauses.map(({ ms, at }) => ({ ms: Math.round(ms), at })),
};
console.log(JSON.stringify({ summary }));
setInterval(() => {}, 1_000);
