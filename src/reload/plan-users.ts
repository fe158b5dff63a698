/**
 * How an ACL user gets from what it is to what it shall be, so that whoever still has the old password is let in until every node
 * takes the new one. Pure.
 */

/** A user's rules as ACL LIST has them, the digests of its passwords apart. */
interface Rules {
  readonly passwords: readonly string[];
  readonly others: readonly string[];
}

/** `set`: these rules, at once. `wait`: the old passwords stay for now. */
export type UserStep =
  | { readonly kind: "set"; readonly rules: string; readonly isLast: boolean }
  | { readonly kind: "wait" };

/**
 * @param isEverywhere every other node takes the new passwords too, and uses them itself.
 * @returns undefined where all is as it shall be.
 */
export function planUser(
  running: string | undefined,
  wanted: string,
  isEverywhere: boolean,
): UserStep | undefined {
  const [is, shall] = [readRules(running ?? ""), readRules(wanted)];
  const whole = { kind: "set", rules: wanted, isLast: true } as const;
  const old = is.passwords.filter((one) => !shall.passwords.includes(one));
  // A user that loses all its passwords, or is new, has nobody to wait for.
  if (old.length === 0 || shall.passwords.length === 0 || isEverywhere)
    return sameRules(is, shall) ? undefined : whole;
  const both = { passwords: [...shall.passwords, ...old], others: shall.others };
  if (sameRules(is, both)) return { kind: "wait" };
  return { kind: "set", rules: renderRules(both), isLast: false };
}

/** The digests of the passwords that these rules let in. */
export const passwordsOf = (rules: string): readonly string[] => readRules(rules).passwords;

function readRules(text: string): Rules {
  const words = text.split(" ").filter((word) => word !== "");
  const isPassword = (word: string) => /^#[0-9a-f]{64}$/.test(word);
  return {
    passwords: words.filter(isPassword),
    others: words.filter((word) => !isPassword(word)),
  };
}

const renderRules = ({ passwords, others }: Rules): string => [...passwords, ...others].join(" ");

const sameRules = (a: Rules, b: Rules): boolean =>
  a.others.join(" ") === b.others.join(" ") &&
  [...a.passwords].sort().join() === [...b.passwords].sort().join();
