/**
 * Whose turn it is to be restarted. Pure.
 */
import { compareNames } from "../address.ts";
import type { NodeSeen } from "./ask-nodes.ts";
import type { Difference } from "./compare.ts";

export interface Turn {
  readonly self: string;
  readonly isAlpha: boolean;
  readonly others: readonly (NodeSeen & { readonly role: "alpha" | "beta" | undefined })[];
  /** What the restart is for: who has it is done. */
  readonly pending: readonly Difference[];
  /** Something outside of the nodes says whose turn it is: a Lease. */
  readonly hasLock: boolean;
}

/**
 * With a lock betas go first, so that every alpha hands over once, and to one that is done. Without one the order must be the same in
 * everybody's eyes whatever happens meanwhile: that of the names, which do not change as roles do.
 *
 * @returns why this node waits; undefined: it goes.
 */
export function whyNotMyTurn({
  self,
  isAlpha,
  others,
  pending,
  hasLock,
}: Turn): string | undefined {
  const silent = others.find((one) => one.silent !== undefined);
  if (silent) return `${silent.name} does not answer: ${silent.silent}`;
  const before = others.filter(({ name, role }) =>
    hasLock ? isAlpha && role === "beta" : compareNames(name, self) < 0,
  );
  const next = before.find(({ facts }) =>
    pending.some(({ name, wanted }) => facts.get(name) !== wanted),
  );
  return next && `${next.name} is to be restarted first`;
}
