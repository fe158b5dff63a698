/**
 * Asks the other nodes how far a new password has come, where there is one.
 */
import type { Credentials } from "../redis/connection.ts";
import type { Around } from "./around.ts";
import { type Access, askNodes } from "./ask-nodes.ts";
import type { Difference } from "./compare.ts";
import { digest, type Facts } from "./facts.ts";
import { type NewPasswords, whyNotAccepted, whyStillInUse } from "./gates.ts";
import { userPrefix } from "./names.ts";
import { passwordsOf } from "./plan-users.ts";

export interface Gates {
  readonly notAccepted: string | undefined;
  readonly stillInUse: string | undefined;
}

export type FindGates = (
  differences: readonly Difference[],
  wanted: Facts,
  credentials: Credentials,
  access: Access,
) => Promise<Gates>;

/** @param passwordOverlapMs how long old passwords are taken after no node uses them any more. */
export function findGates({
  around,
  passwordOverlapMs,
}: {
  readonly around: Pick<Around, "look">;
  readonly passwordOverlapMs: number;
}): FindGates {
  let unused: { readonly of: string; readonly since: number } | undefined;

  function whyOverlap(of: string): string | undefined {
    if (unused?.of !== of) unused = { of, since: performance.now() };
    const leftMs = unused.since + passwordOverlapMs - performance.now();
    return leftMs > 0 ? `clients may have it for ${Math.ceil(leftMs / 1_000)} s more` : undefined;
  }
  return async (differences, wanted, { user = "default", password }, access) => {
    const changed = differences.filter(isAboutPasswords);
    if (changed.length === 0) return { notAccepted: undefined, stillInUse: undefined };
    const users = new Map(
      changed
        .filter(({ name, running }) => name.startsWith(userPrefix) && running !== undefined)
        .map((one) => [one.name.slice(userPrefix.length), passwordsOf(one.wanted ?? "")]),
    );
    if (password) users.set(user, [`#${digest(password)}`]);
    const passwords: NewPasswords = { users, masterauth: password && wanted.get("masterauth") };
    const seen = await around.look();
    const nodes = await askNodes(seen.others, access);
    const stillInUse = whyStillInUse(nodes, passwords) ?? seen.closedSentinel;
    if (stillInUse !== undefined) unused = undefined;
    return {
      notAccepted: whyNotAccepted(nodes, passwords),
      stillInUse: stillInUse ?? whyOverlap(JSON.stringify([...users])),
    };
  };
}

const isAboutPasswords = ({ name }: Difference): boolean =>
  name.startsWith(userPrefix) || name === "masterauth" || name === "requirepass";
