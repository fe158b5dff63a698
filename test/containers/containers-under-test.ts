/**
 * Containers of the image as a careful operator runs them: no root, no capability, nothing to write but /data.
 */
import { spawnSync } from "node:child_process";
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from "testcontainers";
import { parseInfo } from "../../src/redis/info.ts";
import { until } from "../redis/until.ts";

process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

export interface ContainerGroup extends AsyncDisposable {
  readonly network: StartedNetwork;
  readonly containers: StartedTestContainer[];
  /** A container that finds its peers by the alias that all of them share; under other aliases it is none of them. */
  start(
    environment?: Readonly<Record<string, string>>,
    command?: readonly string[],
    ...aliases: readonly string[]
  ): Promise<StartedTestContainer>;
}

const peers = "redis-peers";

/** The builder has no method for it; its own modules set what is missing like this too. */
class ReadOnlyContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
  }
}

/** @param folder of this machine, for each container to read at `/given`. */
export async function createGroup(image: string, folder?: string): Promise<ContainerGroup> {
  const network = await new Network().start();
  const containers: StartedTestContainer[] = [];
  return {
    network,
    containers,
    async start(environment = {}, command = ["cluster", "--dns", peers], ...aliases) {
      const container = await new ReadOnlyContainer(image)
        .withNetwork(network)
        .withNetworkAliases(...(aliases.length > 0 ? aliases : [peers]))
        .withDroppedCapabilities("ALL")
        .withSecurityOpt("no-new-privileges")
        .withEnvironment(environment)
        .withCommand([...command])
        .withBindMounts(folder ? [{ source: folder, target: "/given", mode: "ro" }] : [])
        .withWaitStrategy(Wait.forLogMessage(/./))
        .start();
      containers.push(container);
      return container;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(containers.map(remove));
      await removeNetwork(network);
    },
  };
}

/** Cuts it off from all others, until what is returned is called: it runs on, at the same address. */
export async function cutOff(
  { network }: ContainerGroup,
  container: StartedTestContainer,
): Promise<() => Promise<void>> {
  const { container: client } = await getContainerRuntimeClient();
  const net = client.dockerode.getNetwork(network.getId());
  const address = async () => {
    const { NetworkSettings } = await client.getById(container.getId()).inspect();
    return NetworkSettings.Networks[network.getName()];
  };
  const before = await address();
  await net.disconnect({ Container: container.getId(), Force: true });
  return async () => {
    const EndpointConfig = { Aliases: before?.Aliases ?? [] };
    await net.connect({ Container: container.getId(), EndpointConfig });
    const after = await address();
    if (after?.IPAddress !== before?.IPAddress)
      throw new Error(`it came back at ${after?.IPAddress}, and was at ${before?.IPAddress}`);
  };
}

/** Kills it with all that it holds. */
export async function destroy(
  group: ContainerGroup,
  container: StartedTestContainer,
): Promise<void> {
  await remove(container);
  group.containers.splice(group.containers.indexOf(container), 1);
}

async function remove(container: StartedTestContainer): Promise<void> {
  const client = await getContainerRuntimeClient();
  await client.container.getById(container.getId()).remove({ force: true, v: true });
}

/** Docker 20.10 may count an endpoint too many after restarts at once, and keep the network though no container is on it. */
async function removeNetwork(network: StartedNetwork): Promise<void> {
  const { container } = await getContainerRuntimeClient();
  try {
    await network.stop();
  } catch (thrown) {
    const { Containers } = await container.dockerode.getNetwork(network.getId()).inspect();
    if (Object.keys(Containers ?? {}).length > 0) throw thrown;
  }
}

const findCli = "c=redis-cli; command -v redis-cli >/dev/null || c=valkey-cli;";

export async function cli(container: StartedTestContainer, ...args: string[]): Promise<string> {
  const { output } = await container.exec(["sh", "-c", `${findCli} "$c" "$@"`, "sh", ...args]);
  return output.trim();
}

/**
 * Sets them, copied to so many before this returns. Over one connection: a WAIT on another waits for nothing.
 *
 * @param access how redis-cli gets in.
 */
export async function writeCopied(
  container: StartedTestContainer,
  keys: Readonly<Record<string, string>>,
  copies: number,
  access: readonly string[] = [],
): Promise<void> {
  const sets = Object.entries(keys).map(([key, value]) => `SET ${key} ${value}`);
  const lines = [...sets, `WAIT ${copies} 5000`].join("\n");
  const script = `${findCli} lines=$1; shift; printf '%s\\n' "$lines" | "$c" "$@"`;
  const { output } = await container.exec(["sh", "-c", script, "sh", lines, ...access]);
  const replies = output.trim().split("\n");
  if (replies.at(-1) !== String(copies)) throw new Error(`not copied: ${output}`);
}

export async function probe(container: StartedTestContainer, which: "readiness" | "liveness") {
  const { exitCode, output } = await container.exec([which]);
  return { ready: exitCode === 0, output: output.trim() };
}

const readLog = (container: StartedTestContainer): string =>
  spawnSync("docker", ["logs", container.getId()], { encoding: "utf8" }).stdout;

/** What a container's server said last. */
export function lastWords(container: StartedTestContainer, lines: number): string {
  const own = readLog(container)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("{"));
  return own.slice(-lines).join("\n");
}

/** Holds its processes where they are. */
export const freeze = async (container: StartedTestContainer) =>
  (await getContainerRuntimeClient()).container.getById(container.getId()).pause();

export const thaw = async (container: StartedTestContainer) =>
  (await getContainerRuntimeClient()).container.getById(container.getId()).unpause();

/** Everything that it printed, the error that ended it too. */
export function everythingSaid(container: StartedTestContainer): string {
  const { stdout, stderr } = spawnSync("docker", ["logs", container.getId()], { encoding: "utf8" });
  return `${stdout}${stderr}`;
}

/** What a container's entrypoint decided and did, through the engine's own client: the container may be over. */
export function describeLog(container: StartedTestContainer): string {
  const lines = readLog(container)
    .split("\n")
    .filter((line) => line.startsWith("{") && !line.includes('"observed"'));
  const told = lines
    .slice(-20)
    .map((line) => `${line.slice(20, 32)} ${/"message":"([^"]*)/.exec(line)?.[1]}`);
  return [`--- ${container.getId().slice(0, 12)}`, ...told].join("\n");
}

/** Every container is ready, and knows just the others. */
export async function untilReady(
  containers: readonly StartedTestContainer[],
  withinMs = 60_000,
): Promise<void> {
  await until(
    "ready containers",
    () =>
      Promise.all(
        containers.map(async (container) => {
          const { output } = await probe(container, "readiness");
          const known = parseInfo(await cli(container, "cluster", "info")).get(
            "cluster_known_nodes",
          );
          const nodes = await cli(container, "cluster", "nodes");
          return { state: `${output}${nodes.includes("fail") ? " fail" : ""} ${known}`, nodes };
        }),
      ),
    (all) => all.every(({ state }) => state === ` ${containers.length}`),
    withinMs,
    (all) =>
      all
        .map(({ state, nodes }, index) => {
          const container = containers[index];
          return `${container ? describeLog(container) : ""}\n${state}\n${nodes}`;
        })
        .join("\n"),
  );
}
