/**
 * What differs between a cluster and a set under Sentinel, for those who start, break and mend them alike.
 */
import type { ServerSpec } from "./ground.ts";
import type { TestServer } from "./servers.ts";

export interface Topology {
  /** Whom to start; cluster nodes with the ids that are given to them. */
  readonly roster: readonly { readonly id: string; readonly spec: ServerSpec }[];
  /**
   * Looks at all that run, and does what brings them together. @returns one sentence for each thing that is not
   * whole yet.
   */
  tend(servers: readonly TestServer[]): Promise<readonly string[]>;
  /** For whoever is to stand in the place of one that is gone, with an empty disk. */
  replace(
    gone: TestServer,
    servers: readonly TestServer[],
  ): Promise<{ readonly id: string; readonly spec: ServerSpec }>;
  /**
   * @returns the name of the alpha, for a cluster that of the key's shard, and those of its betas; undefined while
   * there is none.
   */
  findShard(key: string, servers: readonly TestServer[]): Promise<Shard | undefined>;
  close(): void;
}

export interface Shard {
  readonly alpha: string;
  readonly betas: readonly string[];
}
