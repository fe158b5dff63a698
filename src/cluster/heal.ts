/**
 * The resident healer: looks now and then, and mends under the lock what has lasted.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Discovery, isAmong, type Peers } from "../discovery/discovery.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createWatcher } from "../watcher.ts";
import { createActor } from "./act.ts";
import type { Lock } from "./lock.ts";
import { createObserver } from "./observe.ts";
import { planResident } from "./plan-resident.ts";
import type { Plan, Policy } from "./types.ts";
import { sightsOf } from "./watch.ts";

export interface HealOptions {
  readonly policy: Policy;
  readonly discovery: Discovery;
  readonly lock: Lock;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** Between two looks when all is well, in milliseconds. */
  readonly intervalMs: number;
  /** Told when all is well again, how long that took. */
  readonly onHealed: (seconds: number) => void;
  readonly signal: AbortSignal;
}

/** While something is being mended. */
const mendingMs = 300;

/** Runs until the signal. @throws RekindleError where only a person can mend it. */
export async function heal(options: HealOptions): Promise<void> {
  const { policy, discovery, lock, connect, log, intervalMs, signal } = options;
  const now = () => performance.now();
  const observer = createObserver(connect);
  const actor = createActor(observer, log, now);
  const watcher = createWatcher(log, now);
  let changedAt = now();
  let mendingSince: number | undefined;

  async function look(): Promise<{ decision: Plan; peers: Peers }> {
    const peers = await discovery.find();
    const { self, selfWaitingFor = "the own pod is not known", others } = peers;
    if (self === undefined) return { decision: { kind: "wait", reason: selfWaitingFor }, peers };
    const views = await observer.look([self, ...others]);
    if (watcher.observed(sightsOf(views))) changedAt = now();
    const unchangedMs = now() - changedAt;
    const observation = { policy, self: undefined, peers: views, unchangedMs };
    return { decision: planResident(observation, intervalMs / 2), peers };
  }

  /** One at a time, and what was seen before the lock was ours may be over by now: it looks again. */
  async function mend(peers: Peers): Promise<void> {
    const holding = await lock.hold(isAmong(peers));
    if (!holding.held) return watcher.waiting(holding.why);
    const { decision } = await look();
    if (decision.kind !== "act") return;
    watcher.decided(decision);
    mendingSince ??= now();
    await actor.carryOut(decision.steps);
  }

  function endMending(): void {
    if (mendingSince !== undefined) options.onHealed((now() - mendingSince) / 1_000);
    mendingSince = undefined;
  }

  try {
    while (!signal.aborted) {
      const { decision, peers } = await look();
      if (decision.kind === "act") await mend(peers);
      else {
        watcher.decided(decision);
        if (decision.kind === "done") endMending();
        await lock.release();
      }
      // All healers of a cluster at the same moment would be one burst of questions.
      const pauseMs =
        decision.kind === "act" ? mendingMs : intervalMs * (0.8 + 0.4 * Math.random());
      await pause(pauseMs, undefined, { signal }).catch(() => {}); // Aborted: the loop ends.
    }
  } finally {
    observer.close();
    await lock.release();
  }
}
