/** The schedule of faults: repeatable, and only what a set can bear. */
import { expect, test } from "vitest";
import { faultKinds } from "../chaos/faults.ts";
import { drawSchedule } from "../chaos/schedule.ts";

const seeds = Array.from({ length: 300 }, (_, index) => index);

test("the same seed gives the same schedule, another seed another one", () => {
  for (const topology of ["cluster", "sentinel"] as const) {
    const draw = (seed: number) => drawSchedule({ seed, topology, episodes: 20 });
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  }
});

test("every kind of fault comes up", () => {
  const kinds = seeds.flatMap((seed) =>
    drawSchedule({ seed, topology: "cluster", episodes: 10 }).episodes.flatMap(({ faults }) =>
      faults.map(({ kind }) => kind),
    ),
  );
  expect([...new Set(kinds)].sort()).toEqual([...faultKinds].sort());
});

test("only the faults that were asked for come up", () => {
  const { episodes } = drawSchedule({
    seed: 3,
    topology: "cluster",
    episodes: 50,
    faults: ["kill", "cut"],
  });
  for (const { faults } of episodes)
    for (const { kind } of faults) expect(["kill", "cut"]).toContain(kind);
});

test("without a disk nodes are never all ended at once, nor two of one shard", () => {
  const ends = ["kill", "terminate", "replace", "move", "boot-kill", "out-of-memory"];
  for (const seed of seeds) {
    const { episodes } = drawSchedule({ seed, topology: "cluster", episodes: 20, persists: false });
    for (const { faults } of episodes) {
      expect(faults.map(({ kind }) => kind)).not.toContain("all-down");
      const ended = faults.filter(({ kind }) => ends.includes(kind));
      const shards = ended.map(({ target }) => target.shard);
      expect(new Set(shards).size).toBe(shards.length);
      expect(ended.filter(({ target }) => target.role === "alpha").length).toBeLessThan(2);
    }
  }
});
