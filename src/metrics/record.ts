/**
 * What a verb did, kept in the data folder: one file for each verb, in Prometheus' text format, so that node_exporter's
 * textfile collector reads it as it is, and so does `rekindle sidecar --metrics`.
 *
 * Several processes of a verb may write at a time, as a Sentinel's scripts do: each adds what it counted to what is there by then.
 * Figures are worth no boot: there is no lock, a file that cannot be read is started anew, one that cannot be written is left.
 */
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { type Log, withReports } from "../log.ts";
import { version } from "../version.ts";
import {
  type FamilyName,
  type Labels,
  parseSeries,
  renderSeries,
  type Series,
  seriesName,
} from "./series.ts";

export interface Recorder {
  /** The given log, whose reports are counted too. */
  readonly log: Log;
  /** @param outcome `server`, or why it did not become one. */
  booted(outcome: string): void;
  handedOver(outcome: "done" | "failed"): void;
  healed(seconds: number): void;
  /** @param bytes undefined where there is no snapshot. */
  backedUp(seconds: number, bytes: number | undefined): void;
  /** The newest snapshot in the store, in milliseconds since 1970, and how often there is to be one, where that is known. */
  backupsAre(newestAt: number | undefined, everyMs?: number): void;
  /** Everything that was written until then is stored, in milliseconds since 1970; undefined where nothing is kept between snapshots. */
  streamedUntil(ms: number | undefined): void;
  /** From when a change was seen until it was applied, or refused. */
  reloaded(outcome: "applied" | "refused", seconds: number): void;
  reloadState(state: {
    /** What the file says is refused. */
    readonly isInvalid: boolean;
    readonly restartsPending: number;
    readonly drifted: number;
  }): void;
  /** Whether something of this name was reported by this process. */
  hasReported(report: string): boolean;
  /** All that was ever counted for this verb here. */
  series(): Series;
}

/** What only the process that acts now can tell: that of an earlier one may not be so any more. */
const isOfOneLife = /^rekindle_(build_info|backup_(last_success|interval|stream))/;

export function openRecord(dir: string, verb: string, log: Log): Recorder {
  // Absolute: a boot goes to the folder before it becomes the server.
  const path = resolve(dir, `rekindle-${verb}.prom`);
  const reported = new Set<string>();
  /** Counted since it was written last. */
  let pending = new Map<string, number>();
  /** What holds now, as this process tells it. */
  const gauges = new Map([[seriesName("rekindle_build_info", { verb, version }), 1]]);

  function add(name: string, labels: Labels, value: number): void {
    const series = seriesName(name, labels);
    pending.set(series, (pending.get(series) ?? 0) + value);
  }
  function set(name: string, labels: Labels, value: number): void {
    gauges.set(seriesName(name, labels), value);
  }
  function observe(name: FamilyName, labels: Labels, seconds: number): void {
    add(`${name}_sum`, labels, seconds);
    add(`${name}_count`, labels, 1);
  }
  /** All that is in the file, and what is yet to be. */
  function current(): Map<string, number> {
    const kept = [...(readRecord(path) ?? [])];
    const all = new Map(kept.filter(([series]) => !isOfOneLife.test(series)));
    for (const [series, value] of pending)
      all.set(series, roundToMs((all.get(series) ?? 0) + value));
    return new Map([...all, ...gauges]);
  }
  function save(): void {
    try {
      writeWhole(path, renderSeries(current()), 0o644, false);
      pending = new Map();
    } catch (thrown) {
      log.debug("action", `${path} is not written: ${messageOf(thrown)}`);
    }
  }

  return {
    log: withReports(log, (report) => {
      reported.add(report);
      add("rekindle_reports_total", { verb, report }, 1);
      save();
    }),
    booted(outcome) {
      const seconds = sinceStart();
      observe("rekindle_boot_duration_seconds", { verb, outcome }, seconds);
      if (outcome === "server") set("rekindle_last_boot_duration_seconds", { verb }, seconds);
      save();
    },
    handedOver(outcome) {
      observe("rekindle_hand_over_duration_seconds", { outcome }, sinceStart());
      set("rekindle_last_hand_over_timestamp_seconds", { outcome }, roundToMs(Date.now() / 1_000));
      save();
    },
    healed(seconds) {
      observe("rekindle_heal_duration_seconds", { verb }, seconds);
      save();
    },
    backedUp(seconds, bytes) {
      const outcome = bytes === undefined ? "failed" : "done";
      observe("rekindle_backup_duration_seconds", { outcome }, seconds);
      if (bytes !== undefined) set("rekindle_backup_last_bytes", {}, bytes);
      save();
    },
    backupsAre(newestAt, everyMs) {
      // Prometheus takes no first failure for an increase where there was nothing before.
      for (const outcome of ["done", "failed"])
        for (const part of ["sum", "count"])
          add(`rekindle_backup_duration_seconds_${part}`, { outcome }, 0);
      set("rekindle_backup_last_success_timestamp_seconds", {}, (newestAt ?? 0) / 1_000);
      if (everyMs !== undefined) set("rekindle_backup_interval_seconds", {}, everyMs / 1_000);
      save();
    },
    streamedUntil(ms) {
      const name = "rekindle_backup_stream_timestamp_seconds";
      if (ms === undefined && !gauges.delete(name)) return;
      if (ms !== undefined) set(name, {}, ms / 1_000);
      save();
    },
    reloaded(outcome, seconds) {
      observe("rekindle_reload_duration_seconds", { outcome }, seconds);
      save();
    },
    reloadState({ isInvalid, restartsPending, drifted }) {
      set("rekindle_reload_invalid", {}, isInvalid ? 1 : 0);
      set("rekindle_reload_restarts_pending", {}, restartsPending);
      set("rekindle_reload_drifted", {}, drifted);
      save();
    },
    hasReported: (report) => reported.has(report),
    series: current,
  };
}

/** What all verbs have kept in a folder, or in one within it: a Sentinel's may lie there. */
export function readRecords(dir: string): Series {
  const files = globSync(["rekindle-*.prom", "*/rekindle-*.prom"], { cwd: dir });
  return new Map(files.flatMap((file) => [...(readRecord(join(dir, file)) ?? [])]));
}

function readRecord(path: string): Map<string, number> | undefined {
  try {
    return parseSeries(readFileSync(path, "utf8"));
  } catch {
    return undefined; // None yet, or not to be read: counted from now on.
  }
}

/** The process, not the verb: what it took to load it is part of the time. */
const sinceStart = (): number => roundToMs(performance.now() / 1_000);

const roundToMs = (seconds: number): number => Math.round(seconds * 1_000) / 1_000;
