/**
 * Asks the other nodes how far a new password has come, and whether they take a new certificate, where there is one.
 */
import type { Credentials } from "../redis/connection.ts";
import type { Around } from "./around.ts";
import { type Access, askNodes } from "./ask-nodes.ts";
import type { Difference } from "./compare.ts";
import { digest, type Facts } from "./facts.ts";
import { type NewPasswords, whyNotAccepted, whyNotTrusted, whyStillInUse } from "./gates.ts";
import { tlsFiles, userPrefix } from "./names.ts";
import type { Overlap } from "./overlap.ts";
import { passwordsOf } from "./plan-users.ts";

export interface Gates {
  readonly notAccepted: string | undefined;
  readonly stillInUse: string | undefined;
  readonly notTrusted: string | undefined;
}

export type FindGates = (
  differences: readonly Difference[],
  wanted: Facts,
  credentials: Credentials,
  access: Access,
) => Promise<Gates>;

export function findGates(around: Pick<Around, "look">, overlap: Overlap): FindGates {
  return async (differences, wanted, { user = "default", password }, access) => {
    const changed = differences.filter(isAboutPasswords);
    const isRenewed = differences.some(({ name }) => name === tlsFiles);
    if (changed.length === 0 && !isRenewed) return open;
    const seen = await around.look();
    // With the new files: whoever does not take them does not let us in.
    const nodes = await askNodes(seen.others, access);
    const notTrusted = isRenewed ? whyNotTrusted(nodes) : undefined;
    if (changed.length === 0) return { ...open, notTrusted };
    const users = new Map(
      changed
        .filter(({ name, running }) => name.startsWith(userPrefix) && running !== undefined)
        .map((one) => [one.name.slice(userPrefix.length), passwordsOf(one.wanted ?? "")]),
    );
    if (password) users.set(user, [`#${digest(password)}`]);
    const passwords: NewPasswords = { users, masterauth: password && wanted.get("masterauth") };
    const stillInUse = whyStillInUse(nodes, passwords) ?? seen.closedSentinel;
    if (stillInUse !== undefined) overlap.reset();
    return {
      notAccepted: whyNotAccepted(nodes, passwords),
      stillInUse: stillInUse ?? overlap.whyNotOver(JSON.stringify([...users])),
      notTrusted,
    };
  };
}

const open: Gates = { notAccepted: undefined, stillInUse: undefined, notTrusted: undefined };

const isAboutPasswords = ({ name }: Difference): boolean =>
  name.startsWith(userPrefix) || name === "masterauth" || name === "requirepass";
