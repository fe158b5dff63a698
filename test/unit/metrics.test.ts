import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createLog, type Log } from "../../src/log.ts";
import { openRecord, readRecords } from "../../src/metrics/record.ts";
import { parseSeries, renderSeries } from "../../src/metrics/series.ts";

const log: Log = createLog("error", "json");
const joined = 'rekindle_reports_total{verb="cluster",report="Joined"}';
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "rekindle-record-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
});

const report = (verb = "cluster") =>
  openRecord(dir, verb, log).log.info("decided", "joining", { report: "Joined" });
const kept = (): string => readFileSync(join(dir, "rekindle-cluster.prom"), "utf8");

describe("a record", () => {
  test("is carried on by the next process", () => {
    report();
    report();
    expect(readRecords(dir).get(joined)).toBe(2);
  });

  test("takes what two processes count at the same time", () => {
    const both = [openRecord(dir, "cluster", log), openRecord(dir, "cluster", log)];
    for (const one of [...both, ...both]) one.log.info("decided", "joining", { report: "Joined" });
    expect(readRecords(dir).get(joined)).toBe(4);
  });

  test("is nothing that has to be kept from others: a collector of another user reads it", () => {
    report();
    expect(statSync(join(dir, "rekindle-cluster.prom")).mode & 0o777).toBe(0o644);
  });

  test.each([
    ["torn", (text: string) => text.slice(0, -2)],
    ["empty", () => ""],
    ["foreign", () => "# HELP x y\nnode_load1 0.5\n"],
    ["of a version with other figures", (text: string) => `${text}rekindle_new_total 1\n`],
  ])("that is %s is started anew", (_, spoil) => {
    report();
    writeFileSync(join(dir, "rekindle-cluster.prom"), spoil(kept()));
    report();
    expect(parseSeries(kept())?.get(joined)).toBe(1);
  });

  test("that cannot be written hinders nobody, and is counted on in this process", () => {
    mkdirSync(join(dir, "rekindle-cluster.prom"));
    const record = openRecord(dir, "cluster", log);
    record.log.info("decided", "joining", { report: "Joined" });
    record.booted("server");
    expect(record.series().get(joined)).toBe(1);
    expect([...readRecords(dir)]).toEqual([]);
  });

  test("tells the version that acted last, and no other", () => {
    const old =
      '# TYPE rekindle_build_info gauge\nrekindle_build_info{verb="cluster",version="0"} 1\n';
    writeFileSync(join(dir, "rekindle-cluster.prom"), old);
    report();
    expect(kept().match(/^rekindle_build_info.*$/gm)).toEqual([
      'rekindle_build_info{verb="cluster",version="0.0.0-source"} 1',
    ]);
  });

  test("counts boots and hand-overs by how they ended, with the time they took", () => {
    const record = openRecord(dir, "cluster", log);
    record.booted("refused");
    record.booted("server");
    record.handedOver("failed");
    const all = readRecords(dir);
    const count = (name: string) => all.get(`rekindle_${name}`);
    expect(count('boot_duration_seconds_count{verb="cluster",outcome="refused"}')).toBe(1);
    expect(count('boot_duration_seconds_count{verb="cluster",outcome="server"}')).toBe(1);
    expect(count('boot_duration_seconds_sum{verb="cluster",outcome="server"}')).toBe(
      count('last_boot_duration_seconds{verb="cluster"}'),
    );
    expect(count('hand_over_duration_seconds_count{outcome="failed"}')).toBe(1);
    expect(count('last_hand_over_timestamp_seconds{outcome="failed"}')).toBeCloseTo(
      Date.now() / 1_000,
      -2,
    );
  });
});

test("records of several verbs are one text, in which each family is explained once", () => {
  report("cluster");
  report("drain");
  const text = renderSeries(readRecords(dir));
  expect(text.match(/^# TYPE rekindle_reports_total counter$/gm)).toHaveLength(1);
  expect(text).toContain(
    'rekindle_reports_total{verb="cluster",report="Joined"} 1\nrekindle_reports_total{verb="drain",report="Joined"} 1\n',
  );
  expect(parseSeries(text)).toEqual(readRecords(dir));
});

test("a Sentinel's folder within the node's is read too; a folder that is gone is one with nothing in it", () => {
  mkdirSync(join(dir, "sentinel"));
  openRecord(join(dir, "sentinel"), "sentinel", log).booted("server");
  expect([...readRecords(dir).keys()].join()).toContain('{verb="sentinel",outcome="server"}');
  expect(readRecords(join(dir, "nowhere")).size).toBe(0);
});
