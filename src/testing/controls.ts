/**
 * Breaking and mending the servers of a set, whatever it is and wherever it runs.
 */
import { setTimeout as pause } from "node:timers/promises";
import { formatAddress, formatEndpoint } from "../address.ts";
import { complain } from "./complain.ts";
import type { Ground, HostPort, Mendable } from "./ground.ts";
import { isUp, type TestServer } from "./servers.ts";
import type { Shard, Topology } from "./topology.ts";

/**
 * What can be done to one server. Whatever was broken stays so until it is mended; `healthy()` does not wait for
 * it.
 */
export interface Breakable extends Mendable {
  /**
   * Removes it with its disk, and starts another at another address, with nothing on it. Whatever it was, the new
   * one is a beta where the shard has another one.
   */
  replace(): Promise<void>;
}

/** One server. */
export interface RedisNode extends Breakable {
  readonly name: string;
  /** Where this machine reaches it. */
  readonly host: string;
  readonly port: number;
}

/** Whoever has a role at the moment of the first call; from then on that one, whatever it becomes. */
export interface RoleHolder extends Breakable {
  node(): Promise<RedisNode>;
}

/** `ip:port` as the servers name each other, to where this machine reaches them. */
export type NatMap = Readonly<Record<string, HostPort>>;

export interface HealthyOptions {
  /** How long to wait; 30 seconds by default. */
  readonly timeoutMs?: number;
}

export interface RestartOptions {
  /**
   * Each comes back at another address. Containers keep the ports by which this machine reaches them, processes get
   * new ones.
   */
  readonly newAddresses?: boolean;
}

export interface Controls {
  readonly servers: readonly TestServer[];
  readonly natMap: NatMap;
  list(isSentinel: boolean): readonly RedisNode[];
  holder(key: string, choose: (shard: Shard) => string | undefined): RoleHolder;
  restartAll(options?: RestartOptions): Promise<void>;
  healthy(options?: HealthyOptions): Promise<void>;
}

const lookAgainMs = 25;

/** Starts all, and waits until they are whole. What was started is the ground's to end where this throws. */
export async function startAll(
  ground: Ground,
  topology: Topology,
  timeoutMs: number,
): Promise<Controls> {
  const started = await Promise.allSettled(
    topology.roster.map(async ({ id, spec }): Promise<TestServer> => {
      const server = await ground.create(spec);
      return {
        name: spec.name,
        isSentinel: spec.isSentinel,
        id,
        server,
        state: "up",
        isFresh: true,
      };
    }),
  );
  const servers = started.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
  const controls = createControls(ground, topology, servers);
  await controls.healthy({ timeoutMs });
  return controls;
}

function createControls(
  ground: Ground,
  topology: Topology,
  servers: readonly TestServer[],
): Controls {
  // One object for ever: a client that was given it sees what changes in it.
  const natMap: Record<string, HostPort> = {};
  const noteAddresses = () => noteNatMap(natMap, servers);
  noteAddresses();
  /** @param find whoever it is done to, the same one each time. */
  const breakable = (find: () => Promise<TestServer>): Breakable => {
    const change = async (
      from: TestServer["state"],
      to: TestServer["state"],
      act: (one: TestServer) => Promise<void>,
    ) => {
      const one = await find();
      requireState(one, from);
      await act(one);
      one.state = to;
      noteAddresses();
    };
    return {
      async kill() {
        const one = await find();
        if (one.state === "killed") throw wrongState(one);
        // A held process takes no signal, and a container starts with the network that it had.
        if (one.state === "paused") await one.server.resume();
        if (one.state === "cut off") await one.server.reconnect();
        await one.server.kill();
        one.state = "killed";
      },
      start: () => change("killed", "up", ({ server }) => server.start()),
      pause: () => change("up", "paused", ({ server }) => server.pause()),
      resume: () => change("paused", "up", ({ server }) => server.resume()),
      cutOff: () => change("up", "cut off", ({ server }) => server.cutOff()),
      reconnect: () => change("cut off", "up", ({ server }) => server.reconnect()),
      async replace() {
        const one = await find();
        const { id, spec } = await topology.replace(one, servers);
        await one.server.remove();
        one.state = "killed";
        one.server = await ground.create(spec);
        Object.assign(one, { id, state: "up", isFresh: true });
        noteAddresses();
      },
    };
  };
  const nodeOf = (one: TestServer): RedisNode => ({
    name: one.name,
    get host() {
      return one.server.outer.host;
    },
    get port() {
      return one.server.outer.port;
    },
    ...breakable(async () => one),
  });
  const nodes = new Map(servers.map((one) => [one, nodeOf(one)]));
  return {
    servers,
    natMap,
    list: (isSentinel) =>
      [...nodes].flatMap(([one, node]) => (one.isSentinel === isSentinel ? [node] : [])),
    holder(key, choose) {
      let found: Promise<TestServer> | undefined;
      const find = () =>
        (found ??= findHolder(topology, servers, key, choose).catch((thrown) => {
          found = undefined;
          throw thrown;
        }));
      return {
        ...breakable(find),
        node: async () => nodes.get(await find()) as RedisNode,
      };
    },
    async restartAll({ newAddresses = false } = {}) {
      for (const one of servers) {
        if (one.state === "paused") await one.server.resume();
        if (one.state === "cut off") await one.server.reconnect();
      }
      await ground.restartAll(
        servers.map(({ server }) => server),
        newAddresses,
      );
      for (const one of servers) one.state = "up";
      noteAddresses();
    },
    healthy: ({ timeoutMs = 30_000 } = {}) => untilWhole(topology, servers, timeoutMs),
  };
}

function noteNatMap(natMap: Record<string, HostPort>, servers: readonly TestServer[]): void {
  for (const key of Object.keys(natMap)) delete natMap[key];
  for (const { server } of servers) {
    const inner = formatAddress(server.inner);
    if (inner !== formatEndpoint(server.outer)) natMap[inner] = server.outer;
  }
}

const wrongState = ({ name, state }: TestServer): Error => {
  const way = { up: "kill()", killed: "start()", paused: "resume()", "cut off": "reconnect()" };
  return complain(`${name} is ${state}`, `call ${way[state]} first`);
};

function requireState(one: TestServer, state: TestServer["state"]): void {
  if (one.state !== state) throw wrongState(one);
}

async function findHolder(
  topology: Topology,
  servers: readonly TestServer[],
  key: string,
  choose: (shard: Shard) => string | undefined,
): Promise<TestServer> {
  const shard = await topology.findShard(key, servers);
  const name = shard && choose(shard);
  const found = servers.find((one) => one.name === name);
  if (found) return found;
  throw complain(`nobody who runs is that for the key "${key}"`, "wait for healthy() first");
}

async function untilWhole(
  topology: Topology,
  servers: readonly TestServer[],
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const faults = await topology.tend(servers);
    if (faults.length === 0) return;
    await requireRunning(servers.filter(isUp), faults);
    if (performance.now() > deadline) {
      throw complain(
        `not healthy after ${timeoutMs} ms: ${faults.join("; ")}`,
        "mend what you broke, or give it more time",
      );
    }
    await pause(lookAgainMs);
  }
}

/** Waiting does not bring back what has ended by itself. */
async function requireRunning(
  servers: readonly TestServer[],
  faults: readonly string[],
): Promise<void> {
  const silent = servers.filter(({ name }) =>
    faults.some((fault) => fault.startsWith(`${name} does not answer`)),
  );
  for (const { name, server } of silent) {
    const words = await server.lastWords();
    if (words !== undefined)
      throw complain(
        `${name} ended by itself: ${words}`,
        "change what withConfig() gives, or the image",
      );
  }
}
