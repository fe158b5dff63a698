/** How a member's programs are run: as processes of this machine, or in containers. */
import type { ChildProcess } from "node:child_process";
import { executable, server } from "../redis/nodes-under-test.ts";
import type { Network } from "./network.ts";

/** Where a member's files are, as its programs see them. */
export interface Place {
  readonly name: string;
  readonly dir: string;
  readonly config: string;
}

export interface Runtime {
  /** The same for the programs themselves. */
  seenFrom(place: Place): { readonly dir: string; readonly config: string };
  /** The node's or the Sentinel's own process. */
  main(place: Place, args: readonly string[]): readonly string[];
  /** A plain server with the configuration that Rekindle wrote, for controls. */
  plain(place: Place): readonly string[];
  healer(place: Place, args: readonly string[]): readonly string[];
  drain(place: Place, args: readonly string[]): readonly string[];
  /** Readies a folder for the programs. */
  prepare(dir: string): Promise<void>;
  /** Of the server, where it is not the child itself. */
  readonly pidOf?: (name: string) => number | undefined;
  /** Where a signal to the child would not reach the server. */
  readonly kill?: (name: string, child: ChildProcess, signal: NodeJS.Signals) => void;
}

export function runAsProcesses(network: Network): Runtime {
  const inside = ({ name }: Place, args: readonly string[]) =>
    network.inside(name, [executable, ...args]);
  const own = (place: Place, args: readonly string[]) =>
    inside(place, [...args, "--server", server]);
  return {
    seenFrom: ({ dir, config }) => ({ dir, config }),
    main: own,
    plain: ({ name, dir }) => network.inside(name, [server, `${dir}/rekindle.conf`]),
    healer: inside,
    drain: inside,
    prepare: async () => {},
  };
}
