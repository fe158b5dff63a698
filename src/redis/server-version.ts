/**
 * Which server the executable is, as it says itself.
 */
import { RekindleError } from "../errors.ts";
import { runVersion } from "./server.ts";

export async function readServerVersion(
  path: string,
): Promise<{ readonly name: "redis" | "valkey"; readonly version: string }> {
  const output = await runVersion(path);
  const [, name, version] = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(output) ?? [];
  if (version === undefined)
    throw new RekindleError("serverNotUsable", `${path} does not say which version it is`, {
      hint: "name the server's executable with --server",
    });
  return { name: name === "Redis" ? "redis" : "valkey", version };
}
