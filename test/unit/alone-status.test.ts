/** The status of one server alone, in words. */
import { expect, test } from "vitest";
import { parseInfo } from "../../src/redis/info.ts";
import { describeAlone } from "../../src/status/describe-alone.ts";
import { renderAlone } from "../../src/status/render-alone.ts";

const info = (more: Readonly<Record<string, string>> = {}) =>
  parseInfo(
    Object.entries({
      loading: "0",
      aof_enabled: "1",
      aof_last_write_status: "ok",
      aof_last_bgrewrite_status: "ok",
      rdb_last_bgsave_status: "ok",
      used_memory: "1500000",
      db0: "keys=7,expires=0,avg_ttl=0",
      db3: "keys=2,expires=0,avg_ttl=0",
      ...more,
    })
      .map((pair) => pair.join(":"))
      .join("\r\n"),
  );
const seen = { name: "cache:6379", address: { ip: "10.0.0.9", port: 6379, busPort: 0 }, why: "" };
const describe = (more?: Readonly<Record<string, string>>, savePoints = "") =>
  describeAlone({ ...seen, info: info(more), savePoints });

test("what it holds, and what a restart brings back", () => {
  expect(describe()).toMatchObject({ state: "whole", keys: 9, keeps: "append-only file" });
  expect(describe({ aof_enabled: "0" }, "3600 1").keeps).toBe("snapshots");
  expect(describe({ aof_enabled: "0" })).toMatchObject({
    state: "whole",
    keeps: "nothing",
    warnings: ["nothing is saved: a restart loses all data"],
  });
});

test("what makes it refuse writes is a problem, and one that loads does not serve yet", () => {
  for (const key of [
    "aof_last_write_status",
    "aof_last_bgrewrite_status",
    "rdb_last_bgsave_status",
  ])
    expect(describe({ [key]: "err" })).toMatchObject({
      state: "degraded",
      problems: [expect.stringContaining("?")],
    });
  expect(describe({ loading: "1", loading_loaded_perc: "41.96" })).toMatchObject({
    state: "down",
    problems: ["it loads its data: 41 %"],
  });
  const silent = describeAlone({ ...seen, info: undefined, savePoints: "", why: "it is away" });
  expect(silent).toMatchObject({
    state: "unreachable",
    problems: ["cache:6379 does not answer: it is away"],
  });
});

test("nothing is wider than the terminal", () => {
  const status = describe({ aof_enabled: "0", rdb_last_bgsave_status: "err" });
  for (const width of [30, 60, 120]) {
    const lines = renderAlone(status, { width, colours: false }).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(lines.join(" ").replace(/\s+/g, " ")).toContain("9 keys, 1.5 MB, in memory only");
  }
});
