/**
 * Observe, plan, act, until the plan says what to become.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Address } from "../address.ts";
import type { Discovery, Peers } from "../discovery/discovery.ts";
import { RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import { pauseMs } from "../pace.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { openWaitingRoom, type WaitingRoom } from "../redis/waiting-room.ts";
import type { Restorer } from "../restore/restorer.ts";
import { createWatcher } from "../watcher.ts";
import { createActor } from "./act.ts";
import { createObserver } from "./observe.ts";
import { wait } from "./outcomes.ts";
import { plan } from "./plan.ts";
import { endpointOf } from "./read-sentinels.ts";
import type { Told } from "./read-waiting.ts";
import { findSentinels, type SentinelPlaces } from "./sentinels.ts";
import { findStrayNames } from "./stray-names.ts";
import type { MarkAlpha } from "./tend.ts";
import type { DiskFacts, HostPort, Plan, Policy } from "./types.ts";
import { sightsOf } from "./watch.ts";

export interface BootOptions {
  readonly policy: Policy;
  readonly discovery: Discovery;
  /** The name under which Sentinel knows the alpha. */
  readonly set: string;
  readonly sentinelPlaces: SentinelPlaces;
  readonly hostname: string;
  /** A name for Sentinels and nodes to know it by; undefined: its address. */
  readonly announcedAs: string | undefined;
  readonly disk: DiskFacts;
  /** Where a snapshot may be restored. */
  readonly restorer?: Restorer | undefined;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** Told once, before anything else is done, where this node is. */
  readonly onSelf: (address: Address) => Promise<void>;
  /** Done before this node becomes anything; afterwards it looks again. */
  readonly markAlpha: MarkAlpha;
}

type Place = NonNullable<Peers["self"]>;

export interface Destiny {
  readonly address: Address;
  /** Undefined: this node is the alpha. */
  readonly alpha: HostPort | undefined;
  /** What was restored is to become the data. */
  readonly isRestored: boolean;
}

/** @throws RekindleError where the plan refuses. */
export async function decideRole(options: BootOptions): Promise<Destiny> {
  const { policy, discovery, set, hostname, announcedAs, disk, connect, log, restorer } = options;
  const now = () => performance.now();
  const startedAt = now();
  const observer = createObserver(connect, set);
  const actor = createActor(observer, set, log, now);
  const watcher = createWatcher(log, now);
  const toldDisks = new Map<string, DiskFacts>();
  let changedAt = startedAt;
  let claims = false;
  let heirs: readonly HostPort[] | undefined;
  let room: WaitingRoom | undefined;

  async function lookAround(peers: Peers, address: Address): Promise<Plan> {
    // What a peer sees of us when it looks after this is what we decide with.
    const name = peers.self?.name ?? hostname;
    const isRestored = restorer?.ready !== undefined;
    const self = { name, hostname, address, announcedAs, disk, claims, isRestored };
    const [views, sentinels] = await Promise.all([
      observer.look(peers.others),
      findSentinels(peers, options.sentinelPlaces).then(observer.lookAtSentinels),
    ]);
    if (watcher.observed(sightsOf(views, sentinels))) changedAt = now();
    for (const { name: told, seen } of views)
      if (seen.state === "waiting") toldDisks.set(told, seen.disk);
    const unchangedMs = now() - changedAt;
    const decision = plan({
      policy,
      self,
      peers: views,
      sentinels,
      unchangedMs,
      toldDisks,
      snapshot: restorer?.sight,
    });
    if (decision.kind !== "become") return decision;
    // What is not found by its name must not be known by it.
    const [stray] = await findStrayNames(decision.alpha ? [self, decision.alpha] : [self]);
    return stray === undefined ? decision : wait(stray);
  }

  async function follow(decision: Plan, { name, address }: Place): Promise<Destiny | undefined> {
    switch (decision.kind) {
      case "wait":
        return undefined;
      case "claim":
      case "yield":
        claims = decision.kind === "claim";
        return undefined;
      case "act":
        await actor.carryOut(decision.steps);
        return undefined;
      case "find-snapshot":
        await restorer?.look();
        return undefined;
      case "restore":
        await restorer?.prepare("all");
        // What was seen last is of before that.
        changedAt = now();
        return undefined;
      case "become":
        if ((await options.markAlpha(decision.alpha?.name ?? name)) === "changed") return undefined;
        await actor.carryOut(decision.steps);
        return {
          address,
          alpha: decision.alpha && endpointOf(decision.alpha),
          isRestored: decision.report === "Restored",
        };
      case "refuse":
        throw new RekindleError(decision.exit, decision.reason, { hint: decision.hint });
    }
  }

  try {
    for (;;) {
      const waitedMs = now() - startedAt;
      const peers = await discovery.find();
      if (peers.self === undefined) {
        watcher.waiting(peers.selfWaitingFor ?? "discovery does not name this node yet");
        await pause(pauseMs(waitedMs) * 4);
        continue;
      }
      const { address } = peers.self;
      if (room === undefined) {
        await options.onSelf(address);
        const tell = (): Told => ({ hostname, announcedAs, disk, claims });
        room = await openWaitingRoom(address, connect, { tell, heirs: () => heirs });
      }
      const decision = await lookAround(peers, address);
      heirs = "abdicatesTo" in decision ? decision.abdicatesTo : undefined;
      watcher.decided(decision);
      const destiny = await follow(decision, peers.self);
      if (destiny !== undefined) return destiny;
      await pause(decision.kind === "claim" ? 0 : pauseMs(waitedMs));
    }
  } finally {
    observer.close();
    await room?.close();
  }
}
