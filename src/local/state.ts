/**
 * What is remembered of a local cluster or set, so that `status` and `down` find it, and `up` its leftovers.
 */
import { linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Address, busPortDistance } from "../address.ts";
import { holderOf } from "../cluster/folder-lock.ts";
import type { Peer } from "../discovery/discovery.ts";
import { codeOf, RekindleError } from "../errors.ts";
import { readIfThere, removeIfEmpty, writeWhole } from "../files.ts";
import { isAlive } from "../process-identity.ts";
import { type Kind, type Member, pick } from "./members.ts";
import { loopback } from "./ports.ts";
import type { ProcessNode } from "./processes.ts";
import type { Topology } from "./settings.ts";

export interface LocalState {
  readonly name: string;
  readonly topology: Topology;
  readonly backend: "processes" | "containers";
  /** `pid starttime` of the `up` that ends them when it ends; none where they were left to themselves. */
  readonly owner?: string | undefined;
  /** The Sentinels too. None with containers: those are found by their label. */
  readonly nodes: readonly ProcessNode[];
  readonly containers?: readonly (Pick<Member, "name" | "isSentinel"> & {
    readonly address: Address;
  })[];
}

/** The folder of what has this name: its state, its nodes' folders. */
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
export const nodesFolder = (folder: string): string => join(folder, "nodes");

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
  writeWhole(stateFile(folder), `${JSON.stringify(state, null, 2)}\n`, 0o600);
}

/**
 * The nodes that run, each with the process that it is. A node's own lock counts as well: an `up` that was killed may have
 * started it and not written that down.
 */
export const runningNodes = (state: LocalState | undefined): readonly ProcessNode[] =>
  (state?.nodes ?? []).flatMap((node) => {
    const identity = [node.identity, holderOf(node.dir)].find((one) => one && isAlive(one));
    return identity === undefined ? [] : [{ ...node, identity }];
  });

/** All that are known where at least one of them runs, so that those that do not are missed; else none. */
export function knownPeers(state: LocalState, kind: Kind): readonly Peer[] {
  if (state.backend === "containers") return pick(state.containers ?? [], kind);
  if (runningNodes(state).length === 0) return [];
  return pick(state.nodes, kind).map(({ name, port }) => ({
    name,
    address: { ip: loopback, port, busPort: port + busPortDistance },
  }));
}

/** `the local cluster "default"`. */
export const wordsFor = ({ topology, name }: LocalState): string =>
  `the local ${topology === "sentinel" ? "set" : "cluster"} "${name}"`;

/** @returns false where there is a state already. Of two that try at the same time one succeeds. */
export function createState(folder: string, state: LocalState): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${stateFile(folder)}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify(state), { mode: 0o600 });
  try {
    linkSync(draft, stateFile(folder)); // A rename would let both through.
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") return false;
    throw thrown;
  } finally {
    rmSync(draft);
  }
}

export function forgetState(folder: string): void {
  rmSync(stateFile(folder), { force: true });
  removeIfEmpty(folder);
}
