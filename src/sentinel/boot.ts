/**
 * Looks until there is an alpha to watch.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatAddress } from "../address.ts";
import type { Discovery, Peer, Peers } from "../discovery/discovery.ts";
import type { Log } from "../log.ts";
import { pauseMs } from "../pace.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createObserver } from "../replication/observe.ts";
import { isAt } from "../replication/read-sentinels.ts";
import { findSentinels, type SentinelPlaces } from "../replication/sentinels.ts";
import { findStrayNames } from "../replication/stray-names.ts";
import type { MarkAlpha } from "../replication/tend.ts";
import { isServer } from "../replication/types.ts";
import { sightsOf } from "../replication/watch.ts";
import { createWatcher } from "../watcher.ts";
import { planSentinel } from "./plan.ts";
import type { SentinelState } from "./state.ts";

export interface SentinelBootOptions {
  readonly discovery: Discovery;
  readonly set: string;
  readonly sentinelPlaces: SentinelPlaces;
  /** A name for the others to know it by; undefined: its address. */
  readonly announcedAs: string | undefined;
  readonly remembered: SentinelState | undefined;
  readonly peerWaitMs: number;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** Done before this process becomes a Sentinel; afterwards it looks again. */
  readonly markAlpha: MarkAlpha;
  /** Told once where this Sentinel will listen. */
  readonly onSelf: (address: Address) => Promise<void>;
  /** Its own address, where it is not beside a node: of those that the Sentinels have, or some other. */
  readonly findOwnAddress: (sentinels: readonly Peer[]) => string | undefined;
}

export interface SentinelDestiny {
  readonly address: Address;
  readonly state: SentinelState;
}

export async function decideWhatToWatch(options: SentinelBootOptions): Promise<SentinelDestiny> {
  const { discovery, set, sentinelPlaces, remembered, peerWaitMs, connect, log } = options;
  const { announcedAs, markAlpha } = options;
  const { sentinelPort } = sentinelPlaces;
  const now = () => performance.now();
  const startedAt = now();
  const observer = createObserver(connect, set);
  const watcher = createWatcher(log, now);
  let changedAt = startedAt;
  let isSelfTold = false;

  async function look(peers: Peers, sentinels: readonly Peer[], own: Address) {
    const all = peers.self ? [peers.self, ...peers.others] : peers.others;
    const others = sentinels.filter(({ address }) => !address || isElsewhere(address, own));
    const [views, seen] = await Promise.all([observer.look(all), observer.lookAtSentinels(others)]);
    if (watcher.observed(sightsOf(views, seen))) changedAt = now();
    const unchangedMs = now() - changedAt;
    const observation = { remembered, peers: views, sentinels: seen, unchangedMs, peerWaitMs };
    const decision = planSentinel(observation);
    if (decision.kind !== "become") return { decision, views };
    const itself = { address: own, announcedAs };
    const [stray] = await findStrayNames([itself, ...views.filter(isServer)]);
    return { decision: stray ? ({ kind: "wait", reason: stray } as const) : decision, views };
  }

  try {
    for (;;) {
      const waitedMs = now() - startedAt;
      const peers = await discovery.find();
      const sentinels = await findSentinels(peers, sentinelPlaces);
      // It may run elsewhere than beside a node: then discovery does not name it.
      const ip = peers.self?.address.ip ?? options.findOwnAddress(sentinels);
      if (ip === undefined || peers.others.length + (peers.self ? 1 : 0) === 0) {
        watcher.waiting(
          ip === undefined
            ? "this Sentinel's own address is not known: name it with --address"
            : (peers.selfWaitingFor ?? "discovery names no node yet"),
        );
        await pause(pauseMs(waitedMs) * 4);
        continue;
      }
      const address = { ip, port: sentinelPort, busPort: sentinelPort + 10_000 };
      if (!isSelfTold) await options.onSelf(address);
      isSelfTold = true;
      const { decision, views } = await look(peers, sentinels, address);
      watcher.decided(decision);
      if (decision.kind === "become") {
        const alpha = views.find((view) => isAt(view, decision.state.alpha));
        if (alpha === undefined || (await markAlpha(alpha.name)) !== "changed")
          return { address, state: decision.state };
      }
      await pause(pauseMs(waitedMs));
    }
  } finally {
    observer.close();
  }
}

const isElsewhere = (one: Address, other: Address): boolean =>
  formatAddress(one) !== formatAddress(other);
