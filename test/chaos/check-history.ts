/**
 * Judges a history of appends to lists, in the manner of Jepsen's list-append: what was acknowledged is there once, what was
 * refused is not, and nobody sees time run backwards. Pure.
 *
 * Tokens are unique, so that each list shows the order of all its writes.
 */
import type { Final, History, Read, Write } from "./history.ts";

export type ViolationKind =
  | "lost"
  | "duplicated"
  | "failed but there"
  | "never written"
  | "re-ordered"
  | "read went back"
  | "own write unseen"
  | "copies differ";

export interface Violation {
  readonly kind: ViolationKind;
  readonly key: string;
  readonly what: string;
}

export interface Loss {
  readonly write: Write;
  /** Why Redis may lose it. */
  readonly why: string;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Acknowledged writes that are gone, where Redis promises no more. */
  readonly losses: readonly Loss[];
}

/** @returns why Redis may lose this write; undefined where it may not. */
export type Allowance = (write: Write) => string | undefined;

export function checkHistory(history: History, mayLose: Allowance): Verdict {
  const final = joinAlphas(history.finals);
  const violations: Violation[] = [];
  const losses: Loss[] = [];
  for (const [key, writes] of groupBy(history.writes, ({ key }) => key)) {
    const tokens = final.get(key) ?? [];
    violations.push(...checkPresence(key, writes, tokens), ...checkOrder(key, writes, tokens));
    const there = new Set(tokens);
    for (const write of writes) {
      if (write.result !== "ok" || there.has(write.token)) continue;
      const why = mayLose(write);
      if (why !== undefined) losses.push({ write, why });
      else violations.push({ kind: "lost", key, what: describeWrite(write) });
    }
  }
  const written = new Set(history.writes.map(({ key }) => key));
  for (const key of final.keys())
    if (!written.has(key)) violations.push({ kind: "never written", key, what: "the whole list" });
  violations.push(...checkReads(history, final), ...checkCopies(history.finals, final));
  return { violations, losses };
}

function checkPresence(
  key: string,
  writes: readonly Write[],
  tokens: readonly string[],
): Violation[] {
  const byToken = new Map(writes.map((write) => [write.token, write]));
  const seen = new Set<string>();
  return tokens.flatMap((token): Violation[] => {
    const write = byToken.get(token);
    const isTwice = seen.has(token);
    seen.add(token);
    if (write === undefined) return [{ kind: "never written", key, what: token }];
    if (isTwice) return [{ kind: "duplicated", key, what: describeWrite(write) }];
    if (write.result === "fail")
      return [{ kind: "failed but there", key, what: describeWrite(write) }];
    return [];
  });
}

/** Whoever was answered before another asked stands before that one. From the right: the earliest answer so far. */
function checkOrder(key: string, writes: readonly Write[], tokens: readonly string[]): Violation[] {
  const byToken = new Map(writes.map((write) => [write.token, write]));
  const violations: Violation[] = [];
  let earliest: Write | undefined;
  for (const token of tokens.toReversed()) {
    const write = byToken.get(token);
    if (write?.result !== "ok") continue;
    if (earliest !== undefined && earliest.returnMs < write.callMs) {
      const what = `${describeWrite(write)} stands before ${describeWrite(earliest)}`;
      violations.push({ kind: "re-ordered", key, what });
    }
    if (earliest === undefined || write.returnMs < earliest.returnMs) earliest = write;
  }
  return violations;
}

function checkReads(
  { writes, reads }: History,
  final: ReadonlyMap<string, readonly string[]>,
): Violation[] {
  const writesOf = groupBy(writes, ({ key }) => key);
  return [...groupBy(reads, ({ key }) => key)].flatMap(([key, ofKey]) => {
    const known = new Map((writesOf.get(key) ?? []).map((write) => [write.token, write]));
    const positions = new Map((final.get(key) ?? []).map((token, index) => [token, index]));
    const streams = groupBy(ofKey, ({ node }) => node);
    return [
      ...ofKey.flatMap((read) => checkOneRead(read, known, positions)),
      ...[...streams.values()].flatMap((stream) => checkStream(stream, positions)),
    ];
  });
}

function checkOneRead(
  { key, node, role, tokens, callMs }: Read,
  known: ReadonlyMap<string, Write>,
  positions: ReadonlyMap<string, number>,
): Violation[] {
  const violations: Violation[] = [];
  const there = new Set(tokens);
  if (there.size < tokens.length)
    violations.push({ kind: "duplicated", key, what: `a read at ${node} has a token twice` });
  let last = -1;
  for (const token of tokens) {
    const write = known.get(token);
    if (write === undefined)
      violations.push({ kind: "never written", key, what: `${token}, read at ${node}` });
    else if (write.result === "fail")
      violations.push({
        kind: "failed but there",
        key,
        what: `${describeWrite(write)}, read at ${node}`,
      });
    const position = positions.get(token);
    if (position === undefined) continue;
    if (position < last)
      violations.push({ kind: "re-ordered", key, what: `${token}, read at ${node}` });
    last = Math.max(last, position);
  }
  // What the same node acknowledged before, and what is there at the end, an alpha shows.
  if (role === "alpha")
    for (const write of known.values())
      if (
        write.result === "ok" &&
        write.node === node &&
        write.returnMs < callMs &&
        positions.has(write.token) &&
        !there.has(write.token)
      )
        violations.push({
          kind: "own write unseen",
          key,
          what: `${describeWrite(write)}, read later`,
        });
  return violations;
}

/** What one life of a node once showed it shows from then on; but for what is gone in the end, which is judged as lost. */
function checkStream(stream: readonly Read[], positions: ReadonlyMap<string, number>): Violation[] {
  const inTime = stream.toSorted((a, b) => a.callMs - b.callMs);
  const violations: Violation[] = [];
  let shown: Read | undefined;
  for (const read of inTime) {
    if (shown !== undefined && shown.returnMs > read.callMs) continue; // At the same time: either may be first.
    const there = new Set(read.tokens);
    const gone = shown?.tokens.filter((token) => positions.has(token) && !there.has(token)) ?? [];
    if (gone.length > 0) {
      const what = `${gone.length} tokens that ${read.node} had shown, ${gone[0]} first`;
      violations.push({ kind: "read went back", key: read.key, what });
    }
    shown = read;
  }
  return violations;
}

/** When all is quiet every beta has what its alpha has. */
function checkCopies(
  finals: readonly Final[],
  final: ReadonlyMap<string, readonly string[]>,
): Violation[] {
  return finals
    .filter(({ role }) => role === "beta")
    .flatMap(({ node, lists }) =>
      [...lists].flatMap(([key, tokens]): Violation[] => {
        const there = final.get(key) ?? [];
        if (there.length === tokens.length && there.every((one, index) => one === tokens[index]))
          return [];
        return [
          { kind: "copies differ", key, what: `${node} has ${tokens.length} of ${there.length}` },
        ];
      }),
    );
}

function joinAlphas(finals: readonly Final[]): ReadonlyMap<string, readonly string[]> {
  return new Map(finals.filter(({ role }) => role === "alpha").flatMap(({ lists }) => [...lists]));
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function describeWrite({ token, node, client, callMs, returnMs, copies, error }: Write): string {
  const more = [copies !== undefined && `${copies} copies`, error].filter(Boolean).join(", ");
  return `${token} of ${client} at ${node}, ${Math.round(callMs)} to ${Math.round(returnMs)} ms${more && ` (${more})`}`;
}
