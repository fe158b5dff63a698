/** Where the nodes are: each at an address of its own, with what can be done to the way between them. */

/** From whom to whom nothing arrives. */
export type Cut = readonly [from: string, to: string];

/** What the machine lets the harness do; the report names what it does not. */
export type Ability = "cut" | "slow" | "dns" | "disk-full" | "out-of-memory";

export interface Network extends AsyncDisposable {
  readonly abilities: ReadonlySet<Ability>;
  /** Where the harness itself is seen by the nodes. */
  readonly ownIp: string;
  /** @returns the address of a new member. */
  attach(name: string): Promise<string>;
  /** @returns another address for it, that nobody had before. */
  move(name: string): Promise<string>;
  addressOf(name: string): string;
  /** How the machine calls the member. */
  nameOf(name: string): string;
  /** The command, run where the member is. */
  inside(name: string, argv: readonly string[]): readonly string[];
  /** Exactly these are cut from now on. @returns how many packets were dropped since the last change. */
  cut(cuts: readonly Cut[]): Promise<number>;
  /** Drops so many of every hundred packets to the member, and lets the rest pass slowly; 0 ends it. @returns what was dropped. */
  slow(name: string, lossPercent: number): Promise<number>;
}
