/**
 * What a hand-over is given, and what one attempt at it works with.
 */
import type { Address } from "../address.ts";
import type { Outcome } from "../cluster/drain.ts";
import type { Log } from "../log.ts";
import type { Connections } from "../redis/connections.ts";
import type { Beta, Elector, Electors, ElectorsOptions } from "./ask-electors.ts";
import type { HoldGuard } from "./hold-writes.ts";

export interface HandOverOptions extends ElectorsOptions {
  /** Where this node's server listens for us. */
  readonly address: Address;
  readonly log: Log;
  /** Told of the new alpha, before this node steps down where we have it do so. Never rejects. */
  readonly onPromoted: (heir: Address) => Promise<void>;
  /** Whether some other node is there to stay; without it, a set that stops as a whole would wait for a beta in vain. */
  readonly isAnyStaying: () => Promise<boolean>;
  /** Asked again and again: how much time is left, in milliseconds. */
  readonly leftMs: () => number;
  readonly guard: HoldGuard;
}

export interface Attempt extends HandOverOptions {
  readonly connections: Connections;
  readonly electors: Electors;
  readonly elector: Elector | undefined;
  readonly betas: readonly Beta[];
  /** The own address, and the betas'. */
  readonly nodes: readonly Address[];
}

export const late = (reason: string): Outcome => ({ kind: "late", reason });
