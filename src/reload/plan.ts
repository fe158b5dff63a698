/**
 * What is to be done about the differences between the running server and the file. Pure.
 */
import { type Difference, describeDifference } from "./compare.ts";
import { onlyAtStart, tlsFiles, userPrefix } from "./names.ts";
import { planUser } from "./plan-users.ts";

export interface Situation {
  readonly differences: readonly Difference[];
  /** Why a setting cannot be changed while the server runs, as the server says it; the others can. */
  readonly lasting: ReadonlyMap<string, string>;
  /** What was set by hand is put right too. */
  readonly enforce: boolean;
  /** Why not every node takes the new passwords yet; undefined where all do. */
  readonly notAccepted: string | undefined;
  /** Why an old password may still be in use somewhere; undefined where it is not. */
  readonly stillInUse: string | undefined;
  /** Why a node and the new certificate would not fit each other; undefined where all do. */
  readonly notTrusted: string | undefined;
}

export interface UserChange {
  readonly name: string;
  /** As ACL SETUSER takes them after a reset; undefined: the user goes. */
  readonly rules: string | undefined;
  /** False: old passwords are taken too, for now. */
  readonly isLast: boolean;
}

export interface Plan {
  readonly users: readonly UserChange[];
  /** All at once. */
  readonly settings: readonly Difference[];
  readonly restart: readonly Difference[];
  /** Set by hand, and left. */
  readonly drift: readonly Difference[];
  /** What is yet to come, with the reason. */
  readonly waiting: readonly string[];
  /** What changes at once, in one sentence. */
  readonly reason: string;
}

export function planReload(situation: Situation): Plan {
  const { differences, lasting, enforce, stillInUse } = situation;
  const drift = enforce ? [] : differences.filter(({ isDrift }) => isDrift);
  const todo = differences.filter((one) => !drift.includes(one));
  const users: UserChange[] = [];
  const settings: Difference[] = [];
  const restart: Difference[] = [];
  const waiting: string[] = [];
  for (const one of todo) {
    const gate = gateOf(one.name, situation);
    if (one.name.startsWith(userPrefix)) {
      const change = planUserChange(one, stillInUse === undefined);
      if (change) users.push(change);
      else waiting.push(`the old password of ${one.name}: ${stillInUse}`);
    } else if (isForRestart(one, lasting)) restart.push(one);
    else if (gate !== undefined) waiting.push(`${one.name}: ${gate}`);
    else settings.push(one);
  }
  return { users, settings, restart, drift, waiting, reason: reasonOf(users, settings) };
}

/** What comes and goes as a whole does so at a start. */
const isForRestart = (
  { name, wanted, running }: Difference,
  lasting: Situation["lasting"],
): boolean =>
  onlyAtStart.has(name) || lasting.has(name) || wanted === undefined || running === undefined;

/** Passwords change last: not before the others take the new one, and not as long as one of them uses the old. */
function gateOf(
  name: string,
  { notAccepted, stillInUse, notTrusted }: Situation,
): string | undefined {
  if (name === "masterauth") return notAccepted;
  if (name === "requirepass") return stillInUse;
  if (name === tlsFiles) return notTrusted;
  return undefined;
}

function planUserChange(
  { name, running, wanted }: Difference,
  isEverywhere: boolean,
): UserChange | undefined {
  const user = name.slice(userPrefix.length);
  if (wanted === undefined) return { name: user, rules: undefined, isLast: true };
  const step = planUser(running, wanted, isEverywhere);
  return step?.kind === "set" ? { name: user, ...step } : undefined;
}

function reasonOf(users: readonly UserChange[], settings: readonly Difference[]): string {
  const parts = [
    ...settings.map(describeDifference),
    ...users.map(({ name, rules }) => `user ${name}${rules === undefined ? " goes" : ""}`),
  ];
  return parts.length === 0 ? "nothing to change" : parts.join(", ");
}
