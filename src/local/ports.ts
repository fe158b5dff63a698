/**
 * Free ports for local nodes: each needs one for clients and, 10000 above it, one for the bus.
 */
import { createServer } from "node:net";
import { busPortDistance } from "../address.ts";
import { RekindleError } from "../errors.ts";

export const loopback = "127.0.0.1";

/**
 * @param first where to begin; `exact` refuses to go on to other ports.
 * @throws RekindleError naming the port that is taken, or when none are left.
 */
export async function findPorts(
  count: number,
  first: number,
  exact: boolean,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (let port = first; found.length < count; port++) {
    if (port + busPortDistance > 65_535) {
      throw new RekindleError(
        "tryAgain",
        `${count} free ports from ${first} on are not to be had`,
        { hint: "begin elsewhere with --port" },
      );
    }
    const taken = await findTaken([port, port + busPortDistance]);
    if (taken === undefined) found.push(port);
    else if (exact) {
      throw new RekindleError("configuration", `port ${taken} is in use by another process`, {
        hint: "choose another first port with --port",
      });
    }
  }
  return found;
}

/** The first of them that somebody listens at. */
export async function findTaken(ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) if (!(await canListen(port))) return port;
  return undefined;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: loopback, port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
