/** A live set: its members, each supervised at an address of its own, and what can be asked of them. */
import type { Topology } from "./faults.ts";
import type { NameServer } from "./name-server.ts";
import type { Network } from "./network.ts";
import type { Ending, Supervised } from "./supervised.ts";

export interface Host {
  readonly name: string;
  readonly kind: "node" | "sentinel";
  readonly dir: string;
  /** Rekindle, and then the server that it became. */
  readonly main: Supervised;
  /** `rekindle sidecar --heal`, beside the nodes of a cluster. */
  readonly healer: Supervised | undefined;
}

export interface World extends AsyncDisposable {
  readonly topology: Topology;
  readonly nodes: readonly Host[];
  readonly sentinels: readonly Host[];
  readonly network: Network;
  readonly nameServer: NameServer | undefined;
  readonly port: number;
  readonly sentinelPort: number;
  readonly nodeTimeoutMs: number;
  readonly endings: readonly Ending[];
  /** preStop, as on Kubernetes. @returns its exit code. */
  drain(host: Host): Promise<number>;
  /** While the member is down: what it will come back as. */
  change(host: Host, how: { readonly moves: boolean; readonly isEmptied: boolean }): Promise<void>;
  /** It is no peer any more, until it is listed again. */
  unlist(host: Host): void;
  list(host: Host): void;
  /** For controls: from its next start on a plain redis-server with the same configuration, without Rekindle. */
  startPlainly(host: Host): void;
}

export const everybody = (world: World): readonly Host[] => [...world.nodes, ...world.sentinels];

/** A node with its life: a process that ends and comes back is another one to the checker. */
export const lifeOf = (host: Host): string => `${host.name}#${host.main.life}`;
