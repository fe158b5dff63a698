/** Which snapshot is restored, and how far its streams go. */
import { expect, test } from "vitest";
import { slotSet } from "../../src/rdb/slots.ts";
import { planRestore } from "../../src/restore/plan-restore.ts";
import type { StoredSegment } from "../../src/restore/types.ts";
import type { Manifest } from "../../src/snapshots/manifest.ts";

const server = { name: "redis", version: "7.0.15" } as const;
const day = (date: number, hour = 0): string => `2026-11-${date}T0${hour}:00:00.000Z`;

const snapshot = (date: number, more: Partial<Manifest> = {}): Manifest => ({
  format: 1,
  id: `202611${date}T000000Z-aaaa`,
  startedAt: day(date),
  endedAt: day(date, 1),
  topology: "cluster",
  server,
  shards: ["0-5460", "5461-10922", "10923-16383"].map((slots, index) => ({
    file: `${index}.rdb`,
    bytes: 1_000,
    sha256: "0".repeat(64),
    slots: [slots],
    offset: 100,
    stream: `s${index}`,
  })),
  ...more,
});

const segment = (stream: string, from: number, to: number): StoredSegment => ({
  stream,
  from,
  to,
  bytes: to - from,
});
const all = { server, slots: undefined };

function plan(
  manifests: readonly Manifest[],
  wanted = {},
  segments: readonly StoredSegment[] = [],
  target = {},
) {
  return planRestore({ manifests, segments }, wanted, { ...all, ...target });
}

test("the newest, the one that is named, or the last before a moment", () => {
  const three = [snapshot(20), snapshot(21), snapshot(22)];
  const chosen = (wanted: object) => {
    const it = plan(three, wanted);
    return it.kind === "restore" ? it.source.manifest.id.slice(6, 8) : it;
  };
  expect(plan([])).toEqual({ kind: "nothing" });
  expect(chosen({})).toBe("22");
  expect(chosen({ id: three[0]?.id })).toBe("20");
  expect(chosen({ at: new Date(day(21, 1)) })).toBe("21");
  expect(chosen({ at: new Date(day(22)) })).toBe("21");
  expect(chosen({ at: new Date(day(20)) })).toMatchObject({
    kind: "refuse",
    reason: `the oldest snapshot, ${three[0]?.id}, is of ${day(20, 1)}, and nothing earlier is there`,
  });
  expect(chosen({ id: "other" })).toMatchObject({ reason: "the store has no snapshot other" });
});

test("only the shards that have some of the slots, each without the slots of others", () => {
  const it = plan([snapshot(20)], {}, [], { slots: slotSet([[5_000, 6_000]]) });
  if (it.kind !== "restore") throw new Error(it.kind);
  expect(
    it.source.parts.map(({ shard, slots }) => [
      shard.file,
      slots?.indexOf(1),
      slots?.lastIndexOf(1),
    ]),
  ).toEqual([
    ["0.rdb", 5_000, 5_460],
    ["1.rdb", 5_461, 6_000],
  ]);
  expect(it.source.bytes).toBeLessThan(300);
  const none = snapshot(20, { shards: [] });
  expect(plan([none])).toMatchObject({ kind: "refuse" });
});

test("segments follow each other without a gap, copies and order do not matter", () => {
  const segments = [
    segment("s0", 150, 200),
    segment("s0", 100, 150),
    segment("s0", 100, 120),
    segment("s0", 50, 100),
    segment("s1", 100, 110),
    segment("s1", 120, 130),
    segment("s2", 90, 130),
  ];
  const it = plan([snapshot(20)], {}, segments);
  if (it.kind !== "restore") throw new Error(it.kind);
  expect(
    it.source.parts.map((part) => [part.segments.map(({ from, to }) => [from, to]), part.gapAt]),
  ).toEqual([
    [
      [
        [100, 150],
        [150, 200],
      ],
      undefined,
    ],
    [[[100, 110]], 110],
    [[], 100],
  ]);
});

test("a snapshot of a newer server is refused", () => {
  expect(plan([snapshot(20, { server: { name: "redis", version: "7.4.0" } })])).toMatchObject({
    kind: "refuse",
  });
  expect(
    plan([snapshot(20)], {}, [], { server: { name: "valkey", version: "9.1.0" } }),
  ).toMatchObject({ kind: "restore" });
});
