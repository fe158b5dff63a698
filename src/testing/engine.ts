/**
 * The Docker engine, through testcontainers: what it finds (a socket, Docker Desktop, a remote engine), this finds,
 * and what it cleans up after a
 * killed test, too. Loaded only by those who use containers.
 */
import type { ContainerRuntimeClient, StartedNetwork } from "testcontainers";
import { messageOf } from "../errors.ts";
import { complain } from "./complain.ts";

export interface Engine {
  readonly docker: ContainerRuntimeClient["container"]["dockerode"];
  /** Where published ports are, for this machine. */
  readonly host: string;
  /** Where ports are published: on loopback, unless the engine is elsewhere. */
  readonly bindIp: string;
  /** By which testcontainers' own reaper finds what a killed test has left. */
  readonly labels: Readonly<Record<string, string>>;
  createNetwork(): Promise<StartedNetwork>;
  removeNetwork(network: StartedNetwork): Promise<void>;
}

/** Pulls the image where it is not there. @throws Error where there is no engine, no reaper, or no such image. */
export async function openEngine(image: string): Promise<Engine> {
  const {
    getContainerRuntimeClient,
    getReaper,
    ImageName,
    LABEL_TESTCONTAINERS_SESSION_ID,
    Network,
  } = await loadTestcontainers();
  const client = await orSay(
    getContainerRuntimeClient(),
    "no Docker engine answers",
    "start Docker, or use processes",
  );
  const name = ImageName.fromString(image);
  await orSay(
    client.image.pull(name),
    `there is no image ${image}, and it cannot be pulled`,
    "name another with withImage()",
  );
  const { sessionId } = await orSay(
    getReaper(client),
    "testcontainers cannot start its reaper, which cleans up after a killed test",
    "let its image be pulled, or set TESTCONTAINERS_RYUK_DISABLED=true",
  );
  const { host } = client.info.containerRuntime;
  const isHere = ["localhost", "127.0.0.1"].includes(host);
  return {
    docker: client.container.dockerode,
    // The name has two addresses, and ports are published on one.
    host: isHere ? "127.0.0.1" : host,
    bindIp: isHere ? "127.0.0.1" : "",
    labels: { "org.testcontainers": "true", [LABEL_TESTCONTAINERS_SESSION_ID]: sessionId },
    createNetwork: () => new Network().start(),
    removeNetwork: (network) => removeNetwork(client, network),
  };
}

async function loadTestcontainers(): Promise<typeof import("testcontainers")> {
  return orSay(
    import("testcontainers"),
    `testcontainers cannot be loaded by Node ${process.version}`,
    "use Node 22.22 or later, or processes",
  );
}

async function orSay<T>(promise: Promise<T>, complaint: string, hint: string): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    throw complain(`${complaint}: ${messageOf(cause)}`, hint, cause);
  }
}

/**
 * Docker 20.10 may count an endpoint too many after restarts at once, and then keeps the network until it is
 * restarted.
 */
async function removeNetwork(
  { container }: ContainerRuntimeClient,
  network: StartedNetwork,
): Promise<void> {
  try {
    await network.stop();
  } catch (thrown) {
    const { Containers } = await container.dockerode.getNetwork(network.getId()).inspect();
    if (Object.keys(Containers ?? {}).length > 0) throw thrown;
  }
}
