/**
 * Which snapshots are kept, as settings: for every verb that removes some.
 */
import { type Described, optionalCount, type Settings } from "../settings.ts";
import type { Retention } from "./retention.ts";

const range = { from: 1, to: 10_000 };
const all = { defaultText: "all are kept, where no rule is given" };

export const retentionDescriptions = {
  keepLast: optionalCount("keep so many of the newest snapshots", range, all),
  keepHourly: optionalCount("keep the newest snapshot of each of so many hours", range),
  keepDaily: optionalCount("keep the newest snapshot of each of so many days (UTC)", range),
  keepWeekly: optionalCount("keep the newest snapshot of each of so many weeks", range),
} as const satisfies Described;

export const retentionOf = (settings: Settings<typeof retentionDescriptions>): Retention => ({
  last: settings.keepLast,
  hourly: settings.keepHourly,
  daily: settings.keepDaily,
  weekly: settings.keepWeekly,
});
