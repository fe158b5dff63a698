/**
 * What Sentinel leaves undone when the alpha changes or a beta is gone: the labels that say who the alpha is, betas that it never
 * heard of, and the memory of addresses where nobody is any more.
 *
 * Several do this at the same time, each by what it has seen. Whoever has changed a label looks again, until nothing was to be
 * changed: what was true a moment ago is never the last that is written.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Discovery, Peers } from "../discovery/discovery.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { ReplyError } from "../redis/resp.ts";
import { createActor } from "./act.ts";
import { countLostWrites } from "./lost-writes.ts";
import { createObserver, type Observer } from "./observe.ts";
import { planStrays } from "./plan-strays.ts";
import { planTidying } from "./plan-tidying.ts";
import { findNewestAlpha } from "./read-sentinels.ts";
import { findSentinels, type SentinelPlaces } from "./sentinels.ts";
import { isServer, type PeerView, type SentinelView, type ServerPeer } from "./types.ts";

/** `right`: nothing was to be changed. */
export type Marking = "right" | "changed" | "failed";

/** @param name the alpha's, in discovery. */
export type MarkAlpha = (name: string) => Promise<Marking>;

export interface TendOptions {
  readonly discovery: Discovery;
  /** The name under which Sentinel knows the alpha. */
  readonly set: string;
  readonly sentinelPlaces: SentinelPlaces;
  readonly connect: ConnectOptions;
  readonly markAlpha: MarkAlpha;
  readonly log: Log;
  /** How many Sentinels there are. */
  readonly count: number;
  readonly deadlineMs: number;
}

export interface Tended {
  /** All is as it should be. */
  readonly isDone: boolean;
  readonly reason: string;
}

interface Look extends Tended {
  readonly pauseMs?: number;
  /** Waiting does not help. */
  readonly isLater?: boolean;
}

const [lookAgainMs, tryAgainMs] = [100, 1_000];

export async function tend(options: TendOptions): Promise<Tended> {
  const { discovery, set, sentinelPlaces, connect, markAlpha, log, count, deadlineMs } = options;
  const { knowsWhoIsGone = false } = discovery;
  const endsAt = performance.now() + deadlineMs;
  const observer = createObserver(connect, set);
  const actor = createActor(observer, set, log, () => performance.now());
  const forget = createForgetting(observer, set, log);
  const told = new Set<string>();
  let said = "";

  /** A node that was cut off, and will be a beta of the new alpha in a moment: once, by who is beside it or beside nobody. */
  async function tellLoss(rival: ServerPeer, alpha: ServerPeer, { self }: Peers): Promise<void> {
    const { name, seen } = rival;
    if (told.has(seen.runId) || (self !== undefined && self.name !== name)) return;
    told.add(seen.runId);
    const writes = await countLostWrites(rival, alpha.seen, connect).catch(() => undefined);
    const lost =
      writes === undefined ? "what it took since" : `${writes} writes that nobody else has`;
    const reason = `${name} was an alpha besides ${alpha.name} and follows it now, without ${lost}`;
    log.warn("observed", reason, { report: "Dropped" });
  }

  async function look(): Promise<Look> {
    const peers = await discovery.find();
    const [views, sentinels] = await Promise.all([
      observer.look(peers.self ? [peers.self, ...peers.others] : peers.others),
      findSentinels(peers, sentinelPlaces).then(observer.lookAtSentinels),
    ]);
    const opinions = sentinels.flatMap(({ seen }) => (seen.state === "knows" ? [seen] : []));
    const alpha = findNewestAlpha(views, opinions);
    if (alpha === undefined)
      return { isDone: false, reason: "no alpha answers that a Sentinel names" };
    for (const rival of findRivals(views, alpha)) await tellLoss(rival, alpha, peers);
    const marking = await markAlpha(alpha.name);
    const who = `the alpha is ${alpha.name}`;
    if (marking !== "right")
      return { isDone: false, reason: who, pauseMs: marking === "failed" ? tryAgainMs : 0 };
    const strays = planStrays(views, sentinels, alpha);
    if (strays !== undefined) {
      await actor.carryOut(strays.steps);
      return { isDone: false, reason: strays.reason };
    }
    const tidying = planTidying({ peers: views, sentinels, count, knowsWhoIsGone });
    if (tidying.kind === "done") return { isDone: true, reason: who };
    if (tidying.kind === "reset") {
      await forget(tidying.at, tidying.reason);
      return { isDone: false, reason: said };
    }
    return { isDone: false, isLater: tidying.kind === "later", reason: tidying.reason };
  }

  try {
    for (;;) {
      const { pauseMs = lookAgainMs, isLater, ...tended } = await look();
      if (tended.reason !== said) log.info(tended.isDone ? "observed" : "wait", tended.reason);
      said = tended.reason;
      if (tended.isDone || isLater || performance.now() >= endsAt) return tended;
      await pause(pauseMs);
    }
  } finally {
    observer.close();
  }
}

const findRivals = (peers: readonly PeerView[], alpha: ServerPeer): readonly ServerPeer[] =>
  peers.filter(isServer).filter((one) => one.seen.role === "alpha" && one.name !== alpha.name);

/** A Sentinel needs two hello periods to find everybody again (`SENTINEL_PUBLISH_PERIOD`, 2 s). */
const settleMs = 4_000;

/** Nobody is asked again before it has had its time; failures are logged, and the next look shows what came of it. */
function createForgetting(observer: Observer, set: string, log: Log) {
  const askedAt = new Map<string, number>();
  // A pattern, of which our name is one without a choice.
  const pattern = set.replace(/[\\*?[\]]/g, "\\$&");
  return async ({ name, address }: SentinelView, reason: string): Promise<void> => {
    const now = performance.now();
    if (now - (askedAt.get(name) ?? Number.NEGATIVE_INFINITY) < settleMs) return;
    askedAt.set(name, now);
    try {
      const connection = address && observer.connectionTo(address);
      const [reply] = (await connection?.send([["SENTINEL", "RESET", pattern]])) ?? [];
      if (reply instanceof ReplyError) throw reply;
      if (reply === 1) log.info("action", reason, { report: "Forgot" });
    } catch (thrown) {
      log.warn("action", `${name} forgets nobody: ${messageOf(thrown)}`);
    }
  };
}
