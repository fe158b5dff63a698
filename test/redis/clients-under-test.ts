/** Clients that nobody here wrote, over a cluster or a set of the library's: with what its `connectionDetails` tell, and no more. */
import { Cluster, Redis } from "iovalkey";
import { createCluster, createSentinel } from "redis";
import { expect } from "vitest";
import type { NatMap, StartedRedisCluster, StartedRedisSentinel } from "../../src/testing/index.ts";

/** By their names. */
export interface Clients extends Disposable {
  readonly all: Readonly<Record<string, Client>>;
}

interface Client {
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<unknown>;
}

/** @param natMap what they are told of addresses; `{}` for nothing. */
export async function connectToCluster(
  redis: StartedRedisCluster,
  natMap: NatMap = {},
): Promise<Clients> {
  const { nodes, password } = redis.connectionDetails;
  const access = password === undefined ? {} : { password };
  const iovalkey = new Cluster([...nodes], { natMap: { ...natMap }, redisOptions: access });
  const nodeRedis = createCluster({
    rootNodes: nodes.map((socket) => ({ socket: { ...socket } })),
    defaults: access,
    nodeAddressMap: { ...natMap },
  });
  return readied({ ioredis: redis.client({ natMap }), iovalkey, "node-redis": nodeRedis });
}

export async function connectToSet(redis: StartedRedisSentinel): Promise<Clients> {
  const { sentinels, name, password, natMap } = redis.connectionDetails;
  const access = password === undefined ? {} : { password };
  const iovalkey = new Redis({
    ...{ sentinels: [...sentinels], name, natMap },
    ...access,
    maxRetriesPerRequest: null,
  });
  const nodeRedis = createSentinel({
    name,
    sentinelRootNodes: [...sentinels],
    nodeClientOptions: access,
    nodeAddressMap: natMap,
  });
  const ioredis = redis.client({ maxRetriesPerRequest: null });
  return readied({ ioredis, iovalkey, "node-redis": nodeRedis });
}

type Others = {
  readonly ioredis: Client;
  readonly iovalkey: Cluster | Redis;
  readonly "node-redis": Client & {
    on(event: "error", listener: () => void): unknown;
    connect(): Promise<unknown>;
    destroy(): unknown;
  };
};

async function readied(clients: Others): Promise<Clients> {
  const { iovalkey, "node-redis": nodeRedis } = clients;
  // What goes wrong the commands tell.
  iovalkey.on("error", () => {});
  nodeRedis.on("error", () => {});
  await nodeRedis.connect();
  return {
    all: { ...clients },
    [Symbol.dispose]() {
      iovalkey.disconnect();
      nodeRedis.destroy();
    },
  };
}

/** Each client writes keys of its own to all shards, and each reads all. */
export async function expectAllKeysFor({ all: clients }: Clients): Promise<void> {
  const keys = Object.keys(clients).flatMap((name) =>
    Array.from({ length: 20 }, (_, index) => `${name}:${index}`),
  );
  await Promise.all(
    keys.map((key) => clients[key.split(":")[0] ?? ""]?.set(key, key.toUpperCase())),
  );
  for (const [name, client] of Object.entries(clients)) {
    const values = await Promise.all(keys.map((key) => client.get(key)));
    expect(values, name).toEqual(keys.map((key) => key.toUpperCase()));
  }
}
