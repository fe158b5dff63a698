/**
 * Servers as containers of any image that has a server and a shell: the official images of Redis and Valkey, on
 * Debian or Alpine.
 *
 * Nothing is put into the image. Rekindle's own executable would have to fit its system and its processor; what
 * founds and mends
 * runs on this side instead.
 *
 * A server listens at the same port inside and outside. So whatever port a client is told of is right everywhere,
 * and from Redis 7.0
 * on the name told with it is this machine's, too.
 */
import type { ContainerRuntimeClient, StartedNetwork } from "testcontainers";
import { type Address, busPortDistance } from "../address.ts";
import { messageOf } from "../errors.ts";
import { unless } from "../local/unless.ts";
import { complain } from "./complain.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { Ground, Server, ServerSpec } from "./ground.ts";
import { chooseLine } from "./last-words.ts";
import { choosePorts } from "./ports.ts";

export interface ContainerGroundOptions {
  readonly image: string;
  readonly firstPort: number | undefined;
}

interface ContainerServer extends Server {
  readonly id: string;
  /** Its addresses may be others than before. */
  look(): Promise<void>;
}

type Container = ReturnType<ContainerRuntimeClient["container"]["getById"]>;

/** @throws Error where no engine answers, or the image is not to be had. */
export async function openContainers({
  image,
  firstPort,
}: ContainerGroundOptions): Promise<Ground> {
  const engine = await openEngine(image);
  const { docker, host } = engine;
  const nextPort = choosePorts(firstPort);
  const servers = new Set<ContainerServer>();
  const containers = new Set<Container>();
  let network = await engine.createNetwork();

  async function launch(spec: ServerSpec): Promise<{ container: Container; port: number }> {
    for (;;) {
      const port = nextPort();
      const container = await docker.createContainer(
        containerOptions(spec, { image, port, network: network.getName(), engine }),
      );
      containers.add(container);
      try {
        await container.start();
        return { container, port };
      } catch (thrown) {
        await remove(container);
        if (!isPortTaken(thrown)) throw cannotStart(image, thrown);
      }
    }
  }
  async function remove(container: Container): Promise<void> {
    await container.remove({ force: true, v: true }).catch(unless(404, 409));
    containers.delete(container);
  }

  async function create(spec: ServerSpec): Promise<ContainerServer> {
    const { container, port } = await launch(spec);
    let inner: Address = { ip: "", port, busPort: port + busPortDistance };
    const server: ContainerServer = {
      id: container.id,
      get inner() {
        return inner;
      },
      outer: { host, port },
      async look() {
        const { NetworkSettings } = await container.inspect();
        inner = { ...inner, ip: NetworkSettings.Networks[network.getName()]?.IPAddress ?? "" };
      },
      async kill() {
        await container.kill({ signal: "SIGKILL" }).catch(unless(409));
        await container.wait();
      },
      async start() {
        await container.start();
        await server.look();
      },
      pause: async () => void (await container.pause()),
      resume: async () => void (await container.unpause()),
      cutOff: () => disconnect(engine, network, container.id),
      async reconnect() {
        await docker.getNetwork(network.getId()).connect({ Container: container.id });
        await server.look();
      },
      async remove() {
        servers.delete(server);
        await remove(container);
      },
      lastWords: () => lastWordsOf(container),
    };
    servers.add(server);
    await server.look();
    return server;
  }

  /** Another network has other addresses; on the same one a container gets any that is free, its old one too. */
  async function moveAll(own: readonly ContainerServer[]): Promise<void> {
    const old = network;
    network = await engine.createNetwork();
    await Promise.all(
      own.map(async ({ id }) => {
        await disconnect(engine, old, id);
        await docker.getNetwork(network.getId()).connect({ Container: id });
      }),
    );
    await engine.removeNetwork(old);
  }

  return {
    announcedHost: host,
    create,
    async restartAll(chosen, newAddresses) {
      const own = [...servers].filter((server) => chosen.includes(server));
      await Promise.all(own.map((server) => server.kill()));
      if (newAddresses) await moveAll(own);
      await Promise.all(own.map((server) => server.start()));
    },
    async end() {
      await Promise.all([...containers].map(remove));
      await engine.removeNetwork(network);
    },
  };
}

/**
 * Run by whatever shell the image has. The files come in variables, which no list of processes shows,
 * and which the server does not get. Before 7.0 a server refuses what it does not know.
 *
 * Servers write what they cannot read again: some a password with a quote in it, so that of a redis.conf
 * only the alpha stays; Valkey 8.1 a beta whose shard id is not yet its alpha's. Without one, it takes that.
 */
const script = `umask 077
for name in redis-server valkey-server; do server=$(command -v $name) && break; done
[ -n "$server" ] || { echo "it has neither redis-server nor valkey-server"; exit 127; }
mkdir -p /tmp/server && cd /tmp/server || exit 1
[ -z "$NODES_CONF" ] || [ -f nodes.conf ] || printf '%s' "$NODES_CONF" >nodes.conf
[ ! -f nodes.conf ] || sed -i 's/,shard-id=[0-9a-f]*//' nodes.conf
case $($server --version) in *v=[1-6].*) SINCE_7= ;; esac
alpha=$(grep '^replicaof ' redis.conf 2>/dev/null)
printf '%s\\n' "$REDIS_CONF" "$SINCE_7" "$alpha" >redis.conf
unset NODES_CONF REDIS_CONF SINCE_7
exec "$server" redis.conf "$@"`;

function containerOptions(
  spec: ServerSpec,
  where: { image: string; port: number; network: string; engine: Engine },
) {
  const { image, port, network, engine } = where;
  return {
    Image: image,
    Entrypoint: ["sh", "-c", script, "sh"],
    Cmd: spec.isSentinel ? ["--sentinel"] : [],
    Env: [
      `REDIS_CONF=port ${port}\nprotected-mode no\n${spec.config}`,
      `SINCE_7=${spec.configSince7}`,
      `NODES_CONF=${spec.table ?? ""}`,
    ],
    Labels: engine.labels,
    ExposedPorts: { [`${port}/tcp`]: {} },
    HostConfig: {
      NetworkMode: network,
      PortBindings: { [`${port}/tcp`]: [{ HostIp: engine.bindIp, HostPort: `${port}` }] },
    },
  };
}

const isPortTaken = (thrown: unknown): boolean =>
  /port is already allocated|address already in use/i.test(messageOf(thrown));

function cannotStart(image: string, cause: unknown): Error {
  const message = messageOf(cause);
  // The engine's own words: there is no shell to run the script.
  return /executable file not found|no such file/i.test(message)
    ? noServer(image, "it has no shell", cause)
    : complain(
        `the image ${image} cannot be started: ${message}`,
        "mend that and try again",
        cause,
      );
}

const noServer = (image: string, why: string, cause?: unknown): Error =>
  complain(
    `the image ${image} is none of Redis or Valkey: ${why}`,
    "name one with withImage(), as redis:8.0 or valkey/valkey:9.0",
    cause,
  );

async function lastWordsOf(container: Container): Promise<string | undefined> {
  const { State, Config } = await container.inspect();
  if (State.Running) return undefined;
  const log = await container.logs({ stdout: true, stderr: true, tail: 500 });
  const line = chooseLine(withoutFrames(log));
  if (State.ExitCode === 127) throw noServer(Config.Image, line);
  return line;
}

/** What a container without a terminal prints comes in frames, each behind eight bytes. */
const withoutFrames = (log: Buffer): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  log.toString("latin1").replace(/[\x01\x02]\0{3}[\s\S]{4}/g, "");

const disconnect = async ({ docker }: Engine, network: StartedNetwork, id: string): Promise<void> =>
  docker.getNetwork(network.getId()).disconnect({ Container: id, Force: true });
