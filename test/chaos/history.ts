/** What clients did and were told: the facts that the checker judges. Times are of one monotonic clock, in milliseconds. */

/** Only a reply is `ok`; a refusal is `fail`: it did not happen; whatever breaks or is late is `unknown`. */
export type Outcome = "ok" | "fail" | "unknown";

/** One RPUSH of a token that nobody else writes. */
export interface Write {
  readonly client: string;
  /** With its life: `n1#3`. */
  readonly node: string;
  readonly key: string;
  readonly token: string;
  readonly callMs: number;
  readonly returnMs: number;
  readonly result: Outcome;
  readonly error?: string;
  /** How many betas had it, where the client asked with WAIT. */
  readonly copies?: number;
}

/** One LRANGE of a whole list. */
export interface Read {
  readonly node: string;
  readonly role: "alpha" | "beta";
  readonly key: string;
  readonly callMs: number;
  readonly returnMs: number;
  readonly tokens: readonly string[];
}

/** What a node has at the end, when all is quiet. */
export interface Final {
  readonly node: string;
  readonly role: "alpha" | "beta";
  readonly lists: ReadonlyMap<string, readonly string[]>;
}

export interface History {
  readonly writes: readonly Write[];
  readonly reads: readonly Read[];
  readonly finals: readonly Final[];
}

/** The node without its life. */
export const hostOf = (node: string): string => node.split("#")[0] ?? node;

const refusals =
  /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|READONLY|LOADING|NOREPLICAS|MISCONF|MASTERDOWN|OOM|NOAUTH|NOPERM|BUSY|ERR)\b/;

/** The server's own words say that it did nothing. */
export const isRefusal = (message: string): boolean => refusals.test(message);
