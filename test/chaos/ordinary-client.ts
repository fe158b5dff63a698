/** What users feel: an ordinary ioredis client, as README advises, that writes and reads beside the others. */
import { Cluster, Redis } from "ioredis";
import { everybody, type World } from "./world.ts";

export interface Felt {
  readonly requests: number;
  readonly errors: number;
  /** The longest time without an answered write, in milliseconds, and when it ended. */
  readonly longestGapMs: number;
  readonly words: Readonly<Record<string, number>>;
}

export interface OrdinaryClient {
  /** Starts counting anew. @returns what was felt since. */
  take(): Felt;
  end(): Promise<void>;
}

type ConstructorOptions = NonNullable<ConstructorParameters<typeof Cluster>[1]>;

/** By a headless Service: any node that is there now. Addresses are themselves. */
export function connectToCluster(
  { nodes, network, port }: World,
  redisOptions: NonNullable<ConstructorOptions["redisOptions"]>,
): Cluster {
  const anyIp = () =>
    network.addressOf(nodes[Math.floor(Math.random() * nodes.length)]?.name ?? "");
  return new Cluster([{ host: "redis-peers", port }], {
    redisOptions,
    dnsLookup: (host, done) => done(null, host === "redis-peers" ? anyIp() : host, 4),
  });
}

export function startOrdinaryClient(world: World): OrdinaryClient {
  const patience = { connectTimeout: 1_000 };
  const ipOf = (name: string) => world.network.addressOf(name);
  const client =
    world.topology === "cluster"
      ? connectToCluster(world, { ...patience, maxRetriesPerRequest: 3 })
      : new Redis({
          ...patience,
          sentinels: everybody(world)
            .filter(({ kind }) => kind === "sentinel")
            .map(({ name }) => ({ host: ipOf(name), port: world.sentinelPort })),
          name: "mymaster",
        });
  client.on("error", () => {});
  let [requests, errors, longestGapMs, lastMs, isEnding] = [0, 0, 0, performance.now(), false];
  let words: Record<string, number> = {};
  const work = Promise.all(
    [0, 1, 2, 3].map(async (worker) => {
      for (let turn = 0; !isEnding; turn++) {
        requests++;
        try {
          await client.set(`felt:${worker}:${turn % 500}`, `${turn}`);
          const now = performance.now();
          longestGapMs = Math.max(longestGapMs, now - lastMs);
          lastMs = now;
        } catch (thrown) {
          errors++;
          const what = (thrown as Error).message.replace(/\d[\d.:]*/g, "…").slice(0, 80);
          words[what] = (words[what] ?? 0) + 1;
        }
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    }),
  );
  return {
    take() {
      const now = performance.now();
      const felt = { requests, errors, longestGapMs: Math.max(longestGapMs, now - lastMs), words };
      [requests, errors, longestGapMs, lastMs, words] = [0, 0, 0, now, {}];
      return felt;
    },
    async end() {
      isEnding = true;
      // What waits for a node that does not come is given up.
      setTimeout(() => client.disconnect(), 3_000).unref();
      await work;
      client.disconnect();
    },
  };
}
