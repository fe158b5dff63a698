/**
 * One local cluster a name: taking the name, and ending what has it.
 *
 * What a killed `up` left behind is ended and removed by the next one: a local cluster is for throwing away.
 */
import { RekindleError } from "../errors.ts";
import { isAlive } from "../process-identity.ts";
import { endProcesses, removeFolders } from "./processes.ts";
import {
  createState,
  forgetState,
  type LocalState,
  nodesFolder,
  readState,
  runningNodes,
  wordsFor,
} from "./state.ts";

/** @throws RekindleError where something of that name runs. */
export async function claimName(folder: string, first: LocalState): Promise<void> {
  const state = readState(folder);
  if (state !== undefined) {
    const isOwned = state.owner === undefined ? await hasNodes(state) : isAlive(state.owner);
    if (isOwned) throw runsAlready(state);
    await endLeftovers(folder, state);
  }
  if (!createState(folder, first)) throw runsAlready(first);
}

/**
 * Ends what still runs and removes the folders. The state goes last: until then somebody else can carry on.
 *
 * @returns how many nodes there were to end.
 */
export async function endLeftovers(folder: string, state: LocalState): Promise<number> {
  const running = runningNodes(state);
  await endProcesses(running);
  removeFolders(state.nodes, nodesFolder(folder));
  const containers = state.backend === "containers" ? await endContainers(state.name) : 0;
  forgetState(folder);
  return running.length + containers;
}

async function hasNodes(state: LocalState): Promise<boolean> {
  if (state.backend === "processes") return runningNodes(state).length > 0;
  const { countContainers } = await import("./containers.ts");
  return (await countContainers(state.name)) > 0;
}

async function endContainers(name: string): Promise<number> {
  const containers = await import("./containers.ts");
  return containers.endContainers(name);
}

function runsAlready(state: LocalState): RekindleError {
  const [first] = runningNodes(state);
  const where = first === undefined ? "" : `, its nodes from port ${first.port} on`;
  return new RekindleError("configuration", `${wordsFor(state)} runs already${where}`, {
    hint: `end it with rekindle down --name ${state.name}, or give this one another --name`,
  });
}
