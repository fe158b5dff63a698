/**
 * What is remembered of a local cluster by processes, so that `status` and `down` find it, and `up` its leftovers.
 */
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { RekindleError } from "../errors.ts";
import { readIfThere, writeWhole } from "../files.ts";
import { isAlive } from "../process-identity.ts";
import type { ProcessNode } from "./processes.ts";

export interface LocalState {
  readonly name: string;
  readonly nodes: readonly ProcessNode[];
}

/** The folder of the cluster with this name: its state, its nodes' folders. */
export function stateFolder(name: string, environment: NodeJS.ProcessEnv): string {
  if (!/^[a-zA-Z0-9][\w.-]{0,63}$/.test(name)) {
    throw new RekindleError("usage", `"${name}" is no name for a local cluster`, {
      hint: "use letters, digits, dots and dashes in --name",
    });
  }
  const base = environment.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(base, "rekindle", name);
}

const stateFile = (folder: string): string => join(folder, "cluster.json");

export function readState(folder: string): LocalState | undefined {
  const text = readIfThere(stateFile(folder));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as LocalState;
  } catch (cause) {
    throw new RekindleError("configuration", `${stateFile(folder)} is damaged`, {
      hint: `remove the folder ${folder}`,
      cause,
    });
  }
}

export function writeState(folder: string, state: LocalState): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeWhole(stateFile(folder), `${JSON.stringify(state, null, 2)}\n`, 0o600);
}

export const runningNodes = (state: LocalState | undefined): readonly ProcessNode[] =>
  (state?.nodes ?? []).filter((node) => node.identity !== undefined && isAlive(node.identity));
