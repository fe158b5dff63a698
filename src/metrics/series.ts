/**
 * What Rekindle counts, in Prometheus' text format: one family a fact, every series a number.
 *
 * The text is the store as well: what `renderSeries` writes, `parseSeries` reads back, and nothing else.
 */

interface Family {
  readonly type: "counter" | "gauge" | "summary";
  readonly help: string;
}

export const families = {
  rekindle_build_info: {
    type: "gauge",
    help: "1 for the version of Rekindle with which the verb acted last.",
  },
  rekindle_boot_duration_seconds: {
    type: "summary",
    help: "Boots, from the start of the process until it became the server, or ended for another reason.",
  },
  rekindle_last_boot_duration_seconds: {
    type: "gauge",
    help: "The last boot that became the server.",
  },
  rekindle_hand_over_duration_seconds: {
    type: "summary",
    help: "Drains that had something to hand over or did not end in time, from the start of the process.",
  },
  rekindle_last_hand_over_timestamp_seconds: {
    type: "gauge",
    help: "When the last hand-over ended.",
  },
  rekindle_heal_duration_seconds: {
    type: "summary",
    help: "What the resident healer mended, from its first step until all was well.",
  },
  rekindle_backup_duration_seconds: {
    type: "summary",
    help: "Snapshots that were taken, or not, from the first look at the servers on.",
  },
  rekindle_backup_last_success_timestamp_seconds: {
    type: "gauge",
    help: "When the newest snapshot in the store was begun; 0 where there is none.",
  },
  rekindle_backup_last_bytes: {
    type: "gauge",
    help: "What the servers sent for the last snapshot.",
  },
  rekindle_backup_interval_seconds: {
    type: "gauge",
    help: "How often a snapshot is to be taken.",
  },
  rekindle_backup_stream_timestamp_seconds: {
    type: "gauge",
    help: "With --continuous: when everything that had been written until then was stored.",
  },
  rekindle_reload_duration_seconds: {
    type: "summary",
    help: "Changes of the configuration, from when they were seen until they were applied, or refused.",
  },
  rekindle_reload_invalid: {
    type: "gauge",
    help: "1 while the redis.conf is one that the server would not take; it keeps what it has.",
  },
  rekindle_reload_restarts_pending: {
    type: "gauge",
    help: "Settings that the server takes only when it is restarted.",
  },
  rekindle_reload_drifted: {
    type: "gauge",
    help: "Settings that somebody has set by hand, other than the redis.conf has them.",
  },
  rekindle_reports_total: {
    type: "counter",
    help: "What was decided and done, by the reason of the Event that tells it on the pod.",
  },
  rekindle_exporter_up: {
    type: "gauge",
    help: "1 while the exporter answers whose metrics are passed on.",
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof families;
export type Labels = Readonly<Record<string, string>>;

/** Every series, as `name{label="value"}`, with its number. */
export type Series = ReadonlyMap<string, number>;

/** @param values are of our own choice: no quotes, backslashes or newlines. */
export function seriesName(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

/** Grouped by family, each with what it means: the format wants a family's lines together. */
export function renderSeries(series: Series): string {
  return Object.entries(families)
    .map(([name, { type, help }]) => {
      const lines = [...series].filter(([one]) => familyOf(one) === name);
      if (lines.length === 0) return "";
      const told = lines.map(([one, value]) => `${one} ${value}\n`).join("");
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${told}`;
    })
    .join("");
}

/** @returns undefined for a text that is torn, or not ours. */
export function parseSeries(text: string): Map<string, number> | undefined {
  if (!text.endsWith("\n")) return undefined;
  const series = new Map<string, number>();
  for (const line of text.slice(0, -1).split("\n")) {
    if (line.startsWith("# ")) continue;
    const [, name = "", value = ""] =
      /^(\w+(?:\{(?:\w+="[^"\\]*",?)+\})?) (\d+(?:\.\d+)?)$/.exec(line) ?? [];
    if (familyOf(name) === undefined) return undefined;
    series.set(name, Number(value));
  }
  return series;
}

function familyOf(series: string): FamilyName | undefined {
  const name = series.split("{")[0] ?? "";
  const base = name.replace(/_(sum|count)$/, "");
  const isKnown = (one: string): one is FamilyName => Object.hasOwn(families, one);
  if (isKnown(base) && base !== name) return families[base].type === "summary" ? base : undefined;
  return isKnown(name) && families[name].type !== "summary" ? name : undefined;
}
