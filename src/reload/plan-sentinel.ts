/**
 * How the Sentinel beside a node comes to a new password. It has three: for its own clients, for the nodes, and for the other
 * Sentinels. Pure.
 */

export interface SentinelState {
  readonly name: string;
  /** Why it does not answer; undefined: it does. */
  readonly silent: string | undefined;
  /** Digests of the passwords that it takes. */
  readonly taken: readonly string[];
  /** With which it enters the other Sentinels; empty: the one of its start. */
  readonly own: string;
}

export interface NewPassword {
  readonly text: string;
  readonly digest: string;
}

export type SentinelStep =
  /** Enters the nodes with the new one, and takes it itself: whoever takes it has had the nodes take it before. */
  | { readonly kind: "take" }
  /** Enters the other Sentinels with it. */
  | { readonly kind: "use" }
  /** Takes these no more. */
  | { readonly kind: "refuse"; readonly digests: readonly string[] }
  | { readonly kind: "wait"; readonly why: string };

/**
 * @param notAccepted why not every node takes the new password.
 * @param all the Sentinels of the set.
 * @returns undefined where it has the new one only.
 */
export function planSentinel(
  own: SentinelState,
  password: NewPassword,
  notAccepted: string | undefined,
  all: readonly SentinelState[],
): SentinelStep | undefined {
  const old = own.taken.filter((one) => one !== password.digest);
  if (!own.taken.includes(password.digest))
    return notAccepted === undefined ? { kind: "take" } : { kind: "wait", why: notAccepted };
  if (old.length === 0) return undefined;
  const closed = all.find(({ taken }) => !taken.includes(password.digest));
  if (own.own !== password.text)
    return closed ? waitFor(closed, "does not take the new password yet") : { kind: "use" };
  const late = all.find((one) => !usesIt(one, password));
  if (late) return waitFor(late, "still uses the old password");
  return { kind: "refuse", digests: old };
}

const usesIt = ({ taken, own }: SentinelState, { text, digest }: NewPassword): boolean =>
  own === text || (own === "" && taken.every((one) => one === digest) && taken.length > 0);

const waitFor = ({ name, silent }: SentinelState, why: string): SentinelStep => ({
  kind: "wait",
  why: `the Sentinel ${name}: ${silent ?? why}`,
});
