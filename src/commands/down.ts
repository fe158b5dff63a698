/**
 * `rekindle down`: ends a local cluster and takes away what it left.
 */
import { rmSync } from "node:fs";
import { endProcesses } from "../local/processes.ts";
import { readState, runningNodes, stateFolder } from "../local/state.ts";
import { type Flags, readSettings, text } from "../settings.ts";

export const descriptions = {
  name: text("which local cluster", { fallback: "default" }),
} as const;

export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const { name } = readSettings(descriptions, flags, environment);
  const folder = stateFolder(name, environment);
  const running = runningNodes(readState(folder));
  await endProcesses(running);
  rmSync(folder, { recursive: true, force: true });
  const containers = await endContainersIfAny(name, environment);
  const ended = running.length + containers;
  process.stdout.write(
    ended > 0
      ? `ended ${ended} nodes of the local cluster "${name}"\n`
      : `no local cluster "${name}" runs\n`,
  );
  return 0;
}

/** Asked only where an engine is likely: loading its client takes longer than everything else here. */
async function endContainersIfAny(name: string, environment: NodeJS.ProcessEnv): Promise<number> {
  const { hasEngine, endContainers } = await import("../local/containers.ts");
  return (await hasEngine(environment)) ? endContainers(name) : 0;
}
