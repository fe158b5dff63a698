/**
 * Which settings of the running server are not as the file wants them, and whether the file or somebody else has changed them. Pure.
 */
import type { Facts } from "./facts.ts";

export interface Difference {
  readonly name: string;
  /** Undefined: there is no such setting, or user. */
  readonly running: string | undefined;
  readonly wanted: string | undefined;
  /** Somebody has set it by hand: the file has not changed it since it was applied. */
  readonly isDrift: boolean;
}

export interface Comparison {
  readonly running: Facts;
  readonly wanted: Facts;
  /** Rekindle's to decide, or a matter of roles: not compared. */
  readonly owned: ReadonlySet<string>;
  /** Whether this is what the file said when it was applied last. */
  wasWanted(name: string, value: string | undefined): boolean;
}

export function compare({ running, wanted, owned, wasWanted }: Comparison): readonly Difference[] {
  const names = [...new Set([...wanted.keys(), ...running.keys()])].sort();
  return names.flatMap((name) => {
    const [is, shall] = [running.get(name), wanted.get(name)];
    if (is === shall || owned.has(name)) return [];
    return [{ name, running: is, wanted: shall, isDrift: wasWanted(name, shall) }];
  });
}

/** Not to be shown, in a log or elsewhere. */
export const isSecret = (name: string): boolean =>
  /^user |^requirepass$|^(master|primary)auth$|-pass$/.test(name);

/** `maxmemory: 100 → 200`, secrets as stars. */
export function describeDifference({ name, running, wanted }: Difference): string {
  return `${name}: ${show(name, running)} → ${show(name, wanted)}`;
}

export function show(name: string, value: string | undefined): string {
  if (value === undefined) return "none";
  if (isSecret(name)) return "***";
  return value === "" ? '""' : value;
}
