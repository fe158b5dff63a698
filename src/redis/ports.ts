/**
 * Whether the server's ports are free, asked before anything in the data folder is touched.
 */
import { connect } from "node:net";
import { RekindleError } from "../errors.ts";

const askDeadlineMs = 1_000;

/**
 * Asked by connecting, not by listening: a peer that looks for us at that moment must not find a listener that is gone
 * a moment later.
 *
 * @throws RekindleError `configuration` naming the port that is in use.
 */
export async function requireFreePorts(
  ip: string,
  ports: readonly { readonly port: number; readonly flag: string }[],
): Promise<void> {
  for (const [index, isTaken] of (
    await Promise.all(ports.map(({ port }) => isListening(ip, port)))
  ).entries()) {
    const taken = ports[index];
    if (!isTaken || taken === undefined) continue;
    throw new RekindleError(
      "configuration",
      `port ${taken.port} of ${ip} is in use by another process`,
      {
        hint: `stop that process, or choose another port with ${taken.flag}`,
      },
    );
  }
}

function isListening(ip: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port });
    const answer = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.setTimeout(askDeadlineMs, () => answer(false));
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}
