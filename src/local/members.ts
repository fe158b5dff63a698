/**
 * Those that are started together: nodes, and where there are any the Sentinels over them.
 */
export type Kind = "nodes" | "sentinels";

export interface Member {
  readonly name: string;
  readonly port: number;
  readonly isSentinel?: boolean;
}

export const pick = <T extends Pick<Member, "isSentinel">>(
  all: readonly T[],
  kind: Kind,
): readonly T[] => all.filter(({ isSentinel = false }) => isSentinel === (kind === "sentinels"));

/** The name under which the Sentinels of every local set know its alpha. */
export const localSetName = "mymaster";
