/**
 * The grounds to choose from. Each is loaded by those who use it: testcontainers is large, and is not wanted on a machine without Docker.
 */
import type { ContainerGroundOptions } from "./containers.ts";
import type { Ground } from "./ground.ts";
import { openProcesses, type ProcessGroundOptions } from "./processes.ts";

export const defaultImage = "redis:8.0";

export async function openContainerGround(options: ContainerGroundOptions): Promise<Ground> {
  const { openContainers } = await import("./containers.ts");
  return openContainers(options);
}

export const openProcessGround = (options: ProcessGroundOptions): Promise<Ground> =>
  openProcesses(options);
