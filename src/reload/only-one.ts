/**
 * One reload at a time for a server. An abstract socket holds its name for as long as its process lives, for all containers of a pod,
 * and leaves nothing behind (unix(7)). Elsewhere than on Linux there are no pods, and nothing is held.
 */
import { createServer, type Server } from "node:net";
import { codeOf, RekindleError } from "../errors.ts";

export interface OnlyOne {
  end(): void;
}

/** @throws RekindleError `tryAgain` where another one is at work. */
export function beOnlyOne(port: number): Promise<OnlyOne> {
  if (process.platform !== "linux") return Promise.resolve({ end() {} });
  return new Promise((resolve, reject) => {
    const server: Server = createServer((socket) => socket.destroy());
    server.once("error", (cause) => {
      if (codeOf(cause) !== "EADDRINUSE") return reject(cause);
      reject(
        new RekindleError("tryAgain", `another reload is at work for the server at port ${port}`, {
          hint: "let it do it, or end it first",
          cause,
        }),
      );
    });
    server.listen({ path: `\0rekindle-reload-${port}` }, () => {
      server.unref();
      resolve({ end: () => server.close() });
    });
  });
}
