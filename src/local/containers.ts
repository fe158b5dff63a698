/**
 * Local servers as containers of the image, on a Docker network of their own.
 *
 * They find each other by their containers' names, which Docker resolves on that network. The network's name and the
 * containers' label say which cluster they are of, so that `down` finds what a killed `up` left behind.
 */
import {
  type ContainerRuntimeClient,
  GenericContainer,
  getContainerRuntimeClient,
  ImageName,
  Network,
  Wait,
} from "testcontainers";
import { busPortDistance } from "../address.ts";
import { messageOf, RekindleError } from "../errors.ts";
import type { Backend, LocalNode, NatMap } from "./local-servers.ts";
import { type Member, pick } from "./members.ts";
import { unless } from "./unless.ts";

const label = "rekindle.cluster";

export interface ContainerOptions {
  readonly image: string;
  readonly name: string;
  readonly command: (member: Member) => readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** A container as it is since its last start; addresses and published ports change with each. */
interface Place {
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  readonly host: string;
  readonly published: number;
}

/** @param members by the names of their containers. */
export async function runContainers(
  members: readonly Member[],
  options: ContainerOptions,
): Promise<Backend> {
  const { image, name, command, signal } = options;
  // Its own reaper is a container from a registry; what a kill leaves behind is ours to find, by name and label.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= "true";
  const client = await engine();
  await requireImage(client, image);
  const network = await new Network({ nextUuid: () => networkOf(name) }).start();
  const places = new Map<string, Place>();
  const meant = new Set<string>();

  async function note({ name: node, port }: Member, id: string): Promise<void> {
    const { NetworkSettings } = await client.container.inspect(client.container.getById(id));
    places.set(node, {
      id,
      ip: NetworkSettings.Networks[network.getName()]?.IPAddress ?? "",
      port,
      host: client.info.containerRuntime.host,
      published: Number(NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort ?? 0),
    });
    meant.add(node);
  }
  async function create(member: Member): Promise<void> {
    const container = await new GenericContainer(image)
      .withName(member.name)
      .withHostname(hostnameOf(member))
      .withLabels({ [label]: name })
      .withNetwork(network)
      .withExposedPorts(member.port)
      .withCommand([...command(member)])
      .withWaitStrategy(Wait.forLogMessage(/"event":"start"/))
      .start();
    await note(member, container.getId());
  }
  async function start(node: string, emptied: boolean): Promise<void> {
    const member = members.find((one) => one.name === node);
    if (member === undefined) throw new Error(`there is no container ${node}`);
    const known = places.get(node);
    if (known === undefined) return create(member);
    if (!emptied) {
      await client.container.getById(known.id).start();
      return note(member, known.id);
    }
    await client.container.getById(known.id).remove({ force: true, v: true });
    return create(member);
  }

  try {
    signal?.throwIfAborted();
    await Promise.all(members.map((member) => create(member)));
  } catch (cause) {
    await endContainers(name);
    if (signal?.aborted) throw cause;
    const message = `the image ${image} cannot be started: ${messageOf(cause)}`;
    throw new RekindleError("tryAgain", message, { hint: "build it with npm run image", cause });
  }
  return {
    list: (kind) => pick(members, kind).map((member) => describe(member, places.get(member.name))),
    start,
    async stop(node, how) {
      meant.delete(node);
      const container = client.container.getById(places.get(node)?.id ?? node);
      if (how === "SIGKILL") await container.kill({ signal: how }).catch(unless(409));
      else await container.stop({ t: 10 }).catch(unless(304));
      await container.wait();
    },
    failures: () => failuresOf(client, meant, places),
    natMap: () => natMapOf(places),
    async end() {
      await endContainers(name);
    },
  };
}

/** The same in every life: of nodes without data the first by its number leads, and a Sentinel's id is made of it. */
const hostnameOf = ({ name, isSentinel }: Member): string =>
  `${isSentinel ? "sentinel" : "node"}-${name.split("-").at(-1)}`;

const networkOf = (name: string): string => `rekindle-${name}`;

async function engine(): Promise<ContainerRuntimeClient> {
  try {
    return await getContainerRuntimeClient();
  } catch (cause) {
    throw new RekindleError("tryAgain", `no Docker engine answers: ${messageOf(cause)}`, {
      hint: "start Docker, or use --backend processes",
      cause,
    });
  }
}

/** Asked for here: testcontainers would pull whatever a registry has under that name. */
async function requireImage({ image }: ContainerRuntimeClient, name: string): Promise<void> {
  if (await image.exists(ImageName.fromString(name))) return;
  throw new RekindleError("configuration", `there is no image ${name}`, {
    hint: "build it with npm run image, or name another with --image",
  });
}

function describe({ name, port }: Member, place: Place | undefined): LocalNode {
  const address = { ip: place?.ip ?? "0.0.0.0", port, busPort: port + busPortDistance };
  return { name, address, dir: undefined, pid: undefined };
}

async function failuresOf(
  client: ContainerRuntimeClient,
  meant: ReadonlySet<string>,
  places: ReadonlyMap<string, Place>,
): Promise<readonly string[]> {
  const said = await Promise.all(
    [...meant].map(async (node) => {
      const container = client.container.getById(places.get(node)?.id ?? node);
      const { State } = await client.container.inspect(container);
      if (State.Running) return [];
      const log = await container.logs({ stdout: true, stderr: true, tail: 1 });
      const line = log
        .toString("utf8")
        .replace(/[^\x20-\x7e]/g, "")
        .trim();
      return [`${node} ended by itself: ${line}`];
    }),
  );
  return said.flat();
}

function natMapOf(places: ReadonlyMap<string, Place>): NatMap {
  return Object.fromEntries(
    [...places.values()].map(({ ip, port, host, published }) => [
      `${ip}:${port}`,
      { host, port: published },
    ]),
  );
}

export async function countContainers(name: string): Promise<number> {
  return (await listContainers(await engine(), name, false)).length;
}

/** Removes the containers and the network of a cluster; the number of containers that were there. */
export async function endContainers(name: string): Promise<number> {
  const { container } = await engine();
  const found = await listContainers({ container }, name, true);
  await Promise.all(
    found.map(async ({ Id }) => {
      const one = container.dockerode.getContainer(Id);
      await one.stop({ t: 10 }).catch(unless(304, 404));
      await one.remove({ force: true, v: true }).catch(unless(404, 409));
    }),
  );
  await removeNetwork(networkOf(name), container);
  return found.length;
}

/** Docker 20.10 may count an endpoint too many after restarts at once, and then keeps the network until it is restarted. */
async function removeNetwork(
  network: string,
  { dockerode }: ContainerRuntimeClient["container"],
): Promise<void> {
  try {
    await dockerode.getNetwork(network).remove().catch(unless(404));
  } catch (cause) {
    throw new RekindleError(
      "tryAgain",
      `Docker keeps the network ${network}: ${messageOf(cause)}`,
      {
        hint: `take what is on it away, or restart Docker, then docker network rm ${network}`,
        cause,
      },
    );
  }
}

function listContainers(
  { container }: Pick<ContainerRuntimeClient, "container">,
  name: string,
  all: boolean,
) {
  return container.dockerode.listContainers({ all, filters: { label: [`${label}=${name}`] } });
}
