/**
 * How far a new password, or a new certificate's authority, has come among the nodes. Pure.
 */
import type { NodeSeen } from "./ask-nodes.ts";
import { userKey } from "./names.ts";
import { passwordsOf } from "./plan-users.ts";

export interface NewPasswords {
  /** Users whose passwords change, with the digests of the new ones. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** With which betas shall enter their alphas; undefined: with none. */
  readonly masterauth: string | undefined;
}

/** Why not every node takes the new passwords yet; undefined where all do. */
export function whyNotAccepted(
  nodes: readonly NodeSeen[],
  { users }: NewPasswords,
): string | undefined {
  return firstOf(nodes, ({ facts }) => {
    const lacks = [...users].some(([user, wanted]) => {
      const taken = passwordsOf(facts.get(userKey(user)) ?? "");
      return wanted.some((one) => !taken.includes(one));
    });
    return lacks ? "does not take the new password yet" : undefined;
  });
}

/** Why an old password may still be in use; undefined where it is not. */
export function whyStillInUse(
  nodes: readonly NodeSeen[],
  passwords: NewPasswords,
): string | undefined {
  const { masterauth } = passwords;
  return (
    whyNotAccepted(nodes, passwords) ??
    firstOf(nodes, ({ facts }) =>
      masterauth === undefined || facts.get("masterauth") === masterauth
        ? undefined
        : "still uses the old password",
    )
  );
}

/** Why not every node that is there takes the new certificate, and has one that the new authorities have signed. */
export function whyNotTrusted(nodes: readonly NodeSeen[]): string | undefined {
  const closed = nodes.find(({ isClosed }) => isClosed);
  return closed && `${closed.name}: ${closed.silent}; ${twoSteps}`;
}

/** Else who has not seen the change yet, and who has, would not let each other in. */
export const twoSteps =
  "where the authority is another one, give all nodes a file with the old and the new one first, then the certificates";

function firstOf(
  nodes: readonly NodeSeen[],
  judge: (node: NodeSeen) => string | undefined,
): string | undefined {
  for (const node of nodes) {
    const why = node.silent ?? judge(node);
    if (why !== undefined) return `${node.name}: ${why}`;
  }
  return undefined;
}
