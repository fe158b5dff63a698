/**
 * Which server the executable is, as it says itself.
 */
import { RekindleError } from "../errors.ts";
import { parseVersion, runVersion, type ServerVersion } from "./server.ts";

export async function readServerVersion(path: string): Promise<ServerVersion> {
  const said = parseVersion(await runVersion(path));
  if (said === undefined)
    throw new RekindleError("serverNotUsable", `${path} does not say which version it is`, {
      hint: "name the server's executable with --server",
    });
  return said;
}
