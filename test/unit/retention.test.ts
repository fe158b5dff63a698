/** Which snapshots are kept, and when the next one is due. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nextSnapshotAt } from "../../src/backup/schedule.ts";
import { chooseExpired, type Retention } from "../../src/snapshots/retention.ts";

const hourMs = 3_600_000;
const at = (text: string) => ({ id: text, atMs: Date.parse(text) });
const idsOf = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id);

test("of each hour, day and week the newest is kept, and so many of the newest", () => {
  const all = [
    "2026-11-16T12:00Z",
    "2026-11-22T23:00Z",
    "2026-11-23T01:00Z",
    "2026-11-24T23:59Z",
    "2026-11-25T10:05Z",
    "2026-11-25T10:55Z",
    "2026-11-25T11:00Z",
  ].map(at);
  const expired = (rules: Retention) => idsOf(chooseExpired(all, rules));
  const without = (...kept: readonly number[]) =>
    idsOf(all.filter((_, index) => !kept.includes(index)));
  expect(expired({})).toEqual([]);
  expect(expired({ last: 2 })).toEqual(without(5, 6));
  expect(expired({ hourly: 2 })).toEqual(without(5, 6));
  expect(expired({ hourly: 3 })).toEqual(without(3, 5, 6));
  expect(expired({ daily: 3 })).toEqual(without(2, 3, 6));
  // Weeks begin with Mondays: the 23rd of November 2026 is one.
  expect(expired({ weekly: 3 })).toEqual(without(1, 6));
  expect(expired({ last: 1, daily: 2, weekly: 2 })).toEqual(without(1, 3, 6));
});

const anyRule = fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined });
const anyRules = fc.record({ last: anyRule, hourly: anyRule, daily: anyRule, weekly: anyRule });
const anySnapshots = fc
  .array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 40 })
  .map((halfHours) =>
    halfHours.map((one, index) => ({ id: `${index}`, atMs: (one * hourMs) / 2 })),
  );

test("whatever the rules, the newest stays, at least as many as asked for do, and a second look removes nothing", () => {
  fc.assert(
    fc.property(anySnapshots, anyRules, (all, rules) => {
      const expired = chooseExpired(all, rules);
      const kept = all.filter((one) => !expired.includes(one));
      const newest = Math.max(...all.map((one) => one.atMs));
      expect(kept.some((one) => one.atMs === newest)).toBe(true);
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(all.length, rules.last ?? 1));
      expect(chooseExpired(kept, rules)).toEqual([]);
    }),
  );
});

test("pruned after each snapshot, what the rules promise is always there", () => {
  fc.assert(
    fc.property(anySnapshots, (all) => {
      const rules = { hourly: 2, daily: 3 };
      let kept: typeof all = [];
      const inOrder = [...all].sort((a, b) => a.atMs - b.atMs);
      for (const one of inOrder) {
        kept = [...kept, one];
        const expired = chooseExpired(kept, rules);
        kept = kept.filter((other) => !expired.includes(other));
      }
      const spans = (list: typeof all, ms: number) =>
        [...new Set(list.map((one) => Math.floor(one.atMs / ms)))].sort((a, b) => b - a);
      expect(spans(kept, hourMs).slice(0, 2)).toEqual(spans(all, hourMs).slice(0, 2));
      expect(spans(kept, 24 * hourMs).slice(0, 3)).toEqual(spans(all, 24 * hourMs).slice(0, 3));
    }),
  );
});

test("snapshots are due at the multiples of their interval, also after a restart", () => {
  const due = (newest: string | undefined, failures = 0, failedAt = 0) =>
    new Date(
      nextSnapshotAt(
        { newestAt: newest === undefined ? undefined : Date.parse(newest), failures, failedAt },
        6 * hourMs,
      ),
    ).toISOString();
  expect(due("2026-11-25T06:00:01Z")).toBe("2026-11-25T12:00:00.000Z");
  expect(due("2026-11-25T11:59:59Z")).toBe("2026-11-25T12:00:00.000Z");
  // One that is late was due in the past: now.
  expect(due("2026-11-20T00:00:00Z")).toBe("2026-11-20T06:00:00.000Z");
  expect(due(undefined)).toBe("1970-01-01T00:00:00.000Z");
});

test("after failures the next attempt comes later and later, and never later than the interval", () => {
  const failedAt = Date.parse("2026-11-25T12:00:00Z");
  const waits = (failures: number, everyMs = 6 * hourMs) =>
    (nextSnapshotAt({ newestAt: undefined, failures, failedAt }, everyMs) - failedAt) / 1_000;
  expect([1, 2, 3, 10].map((failures) => waits(failures))).toEqual([30, 60, 120, 900]);
  expect(waits(5, 1_000)).toBe(1);
});
