/**
 * Observe, plan, act: afterwards the server loads everything that the data folder holds.
 */
import { readFileSync, statSync } from "node:fs";
import { RekindleError } from "../errors.ts";
import { carryOut } from "./act.ts";
import { observe, type Surveyed } from "./observe.ts";
import { decideStart } from "./plan.ts";
import type { Observation } from "./types.ts";

/** @throws RekindleError `refused` where the server would die of what is there, or pass over it. */
export async function prepareFolder(surveyed: Surveyed): Promise<void> {
  const { files, log } = surveyed;
  const seen = await observe(surveyed);
  const plan = decideStart(seen);
  if (plan.kind === "refuse") throw new RekindleError("refused", plan.reason, { hint: plan.hint });
  for (const warning of plan.warnings) log.warn("observed", warning);
  log.info("decided", plan.reason);
  for (const step of plan.steps) carryOut(step, files, seen.hasParts, new Date(), log);
}

/**
 * When a server was last started from this folder, and whether it kept an append-only file.
 *
 * @param configurationFile is written right before each start.
 */
export function readLastStart(configurationFile: string): Observation["lastStart"] {
  try {
    const text = readFileSync(configurationFile, "utf8");
    const { mtimeMs } = statSync(configurationFile);
    return { atMs: mtimeMs, appendonly: !/^appendonly no$/m.test(text) };
  } catch {
    return undefined; // The first one, or another user's: then files are looked at as if it were.
  }
}
