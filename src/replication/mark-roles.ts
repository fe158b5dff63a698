/**
 * Labels that say who the alpha is, kept true when the alpha changes.
 *
 * Several do this at the same time, each by what it has seen. Whoever has changed a label looks again, until nothing was to be
 * changed: what was true a moment ago is never the last that is written.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Discovery } from "../discovery/discovery.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createObserver } from "./observe.ts";
import { findNewestAlpha } from "./read-sentinels.ts";
import { findSentinels, type SentinelPlaces } from "./sentinels.ts";

/** `right`: nothing was to be changed. */
export type Marking = "right" | "changed" | "failed";

/** @param name the alpha's, in discovery. */
export type MarkAlpha = (name: string) => Promise<Marking>;

export interface MarkOptions {
  readonly discovery: Discovery;
  /** The name under which Sentinel knows the alpha. */
  readonly set: string;
  readonly sentinelPlaces: SentinelPlaces;
  readonly connect: ConnectOptions;
  readonly markAlpha: MarkAlpha;
  readonly log: Log;
  readonly deadlineMs: number;
}

const [lookAgainMs, tryAgainMs] = [100, 1_000];

/** @returns the alpha's name once all labels tell it; undefined where the time ran out before. */
export async function markRoles(options: MarkOptions): Promise<string | undefined> {
  const { discovery, set, sentinelPlaces, connect, markAlpha, log, deadlineMs } = options;
  const endsAt = performance.now() + deadlineMs;
  const observer = createObserver(connect, set);
  let said = "";
  try {
    while (performance.now() < endsAt) {
      const peers = await discovery.find();
      const [views, sentinels] = await Promise.all([
        observer.look(peers.self ? [peers.self, ...peers.others] : peers.others),
        findSentinels(peers, sentinelPlaces).then(observer.lookAtSentinels),
      ]);
      const alpha = findNewestAlpha(
        views,
        sentinels.flatMap(({ seen }) => (seen.state === "knows" ? [seen] : [])),
      );
      const marking = alpha && (await markAlpha(alpha.name));
      if (marking === "right") return alpha?.name;
      const what = alpha ? `the alpha is ${alpha.name}` : "no alpha answers that a Sentinel names";
      if (what !== said) log.info("observed", what);
      said = what;
      await pause(marking === "failed" ? tryAgainMs : lookAgainMs);
    }
    return undefined;
  } finally {
    observer.close();
  }
}
