/**
 * `rekindle down`: ends a local cluster or set and takes away what it left.
 */
import { endLeftovers } from "../local/claim.ts";
import { type LocalState, readState, runningNodes, stateFolder, wordsFor } from "../local/state.ts";
import { isAlive } from "../process-identity.ts";
import { type Flags, readSettings, text } from "../settings.ts";

export const descriptions = {
  name: text("which local cluster or set", { fallback: "default" }),
} as const;

/** How long an `up` in the foreground gets to end its cluster by itself; its nodes have ten seconds of that. */
const ownerDeadlineMs = 15_000;

export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  const { name } = readSettings(descriptions, flags, environment);
  const folder = stateFolder(name, environment);
  const state = readState(folder);
  const running = state ? runningNodes(state).length || (state.containers?.length ?? 0) : 0;
  if (state) await endOwner(state);
  // The owner's own end removes everything; what a killed one left is ours to remove.
  const left = readState(folder);
  const found = left ? await endLeftovers(folder, left) : 0;
  const ended = Math.max(running, found);
  const who = state?.topology === "sentinel" ? "nodes and Sentinels" : "nodes";
  process.stdout.write(
    state && ended > 0
      ? `ended ${ended} ${who} of ${wordsFor(state)}\n`
      : `no local cluster or set "${name}" runs\n`,
  );
  return 0;
}

async function endOwner({ owner }: LocalState): Promise<void> {
  if (owner === undefined || !isAlive(owner)) return;
  process.kill(Number(owner.split(" ")[0]), "SIGTERM");
  const deadline = performance.now() + ownerDeadlineMs;
  while (isAlive(owner) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
