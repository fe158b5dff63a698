/**
 * Local nodes as containers of the image, on a Docker network of their own.
 *
 * Nodes are found by their containers' names, which Docker resolves on that network. Networks and containers carry a label,
 * by which `down` finds what a killed `up` left behind.
 */

import { existsSync } from "node:fs";
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from "testcontainers";
import { messageOf, RekindleError } from "../errors.ts";
import type { Backend, LocalNode } from "./local-cluster.ts";

const label = "rekindle.cluster";
const port = 6379;

export interface ContainerOptions {
  readonly count: number;
  readonly image: string;
  readonly name: string;
  readonly flags: readonly string[];
}

/** Whether to look for an engine at all: a socket or an address for one. */
export async function hasEngine(environment: NodeJS.ProcessEnv): Promise<boolean> {
  return environment.DOCKER_HOST !== undefined || existsSync("/var/run/docker.sock");
}

async function engine() {
  try {
    return await getContainerRuntimeClient();
  } catch (cause) {
    throw new RekindleError("tryAgain", `no Docker engine answers: ${messageOf(cause)}`, {
      hint: "start Docker, or use --backend processes",
      cause,
    });
  }
}

export async function runContainers({
  count,
  image,
  name,
  flags,
}: ContainerOptions): Promise<Backend> {
  // Its own reaper is a container from a registry; what a kill leaves behind is ours to find, by the label.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= "true";
  await engine();
  const network = await new Network().start();
  const names = Array.from({ length: count }, (_, index) => `rekindle-${name}-${index + 1}`);
  const peers = names.map((one) => `${one}:${port}`).join(",");
  const started = new Map<string, StartedTestContainer>();

  async function start(node: string): Promise<void> {
    const container = await new GenericContainer(image)
      .withName(node)
      .withLabels({ [label]: name })
      .withNetwork(network)
      .withExposedPorts(port)
      .withCommand(["cluster", "--peers", peers, "--port", `${port}`, ...flags])
      .withWaitStrategy(Wait.forLogMessage(/"event":"start"/))
      .start();
    started.set(node, container);
  }

  async function end(): Promise<void> {
    await Promise.all(
      [...started.values()].map((container) => container.stop({ timeout: 10_000 })),
    );
    await network.stop();
  }

  try {
    await Promise.all(names.map(start));
  } catch (cause) {
    await end();
    throw new RekindleError(
      "tryAgain",
      `the image ${image} cannot be started: ${messageOf(cause)}`,
      { hint: "build it with npm run image", cause },
    );
  }
  return {
    nodes: () => names.map((node) => describe(node, started.get(node), network)),
    async start(node) {
      await started.get(node)?.stop({ timeout: 0 });
      await start(node);
    },
    async stop(node, signal) {
      const client = await engine();
      await client.container.getById(started.get(node)?.getId() ?? "").kill({ signal });
    },
    natMap: () => natMapOf(names, started, network),
    end,
  };
}

function describe(
  name: string,
  container: StartedTestContainer | undefined,
  network: StartedNetwork,
): LocalNode {
  const ip = container?.getIpAddress(network.getName()) ?? "0.0.0.0";
  return { name, address: { ip, port, busPort: port + 10_000 }, dir: undefined, pid: undefined };
}

function natMapOf(
  names: readonly string[],
  started: ReadonlyMap<string, StartedTestContainer>,
  network: StartedNetwork,
) {
  const entries = names.flatMap((name) => {
    const container = started.get(name);
    const inside = container && `${container.getIpAddress(network.getName())}:${port}`;
    return container && inside
      ? [[inside, { host: container.getHost(), port: container.getMappedPort(port) }] as const]
      : [];
  });
  return Object.fromEntries(entries);
}

/** Removes the containers and networks of a cluster; the number of containers that were there. */
export async function endContainers(name: string): Promise<number> {
  const { container } = await engine();
  const filters = { label: [`${label}=${name}`] };
  const found = await container.dockerode.listContainers({ all: true, filters });
  const networks = new Set(found.flatMap((one) => Object.keys(one.NetworkSettings.Networks)));
  await Promise.all(
    found.map((one) => container.dockerode.getContainer(one.Id).remove({ force: true, v: true })),
  );
  for (const network of networks) await container.dockerode.getNetwork(network).remove();
  return found.length;
}
