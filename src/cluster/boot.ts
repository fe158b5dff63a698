/**
 * Observe, plan, act, until the plan says what to become.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Address } from "../address.ts";
import { type Discovery, isAmong, type Peers } from "../discovery/discovery.ts";
import { messageOf, RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import { pauseMs } from "../pace.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import type { DataFiles } from "../redis/data-files.ts";
import { openWaitingRoom, type WaitingRoom } from "../redis/waiting-room.ts";
import type { Restorer } from "../restore/restorer.ts";
import { createWatcher } from "../watcher.ts";
import { createActor } from "./act.ts";
import { readDisk, setAside } from "./disk.ts";
import { type Lock, noLock } from "./lock.ts";
import type { NodeTable, SlotRange } from "./nodes.ts";
import { createObserver } from "./observe.ts";
import { plan } from "./plan.ts";
import type { Plan, Policy, Self } from "./types.ts";
import { sightsOf } from "./watch.ts";

export interface BootOptions {
  readonly policy: Policy;
  readonly discovery: Discovery;
  readonly lock: Lock;
  readonly files: DataFiles;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** Where a snapshot may be restored. */
  readonly restorer?: Restorer | undefined;
  /** Told once, before anything else is done, where this node is. */
  readonly onSelf: (address: Address) => Promise<void>;
}

export interface Destiny {
  readonly address: Address;
  /** The nodes.conf to start with; `undefined` leaves the server to begin blank. */
  readonly table: NodeTable | undefined;
  /** What was restored is to become the data, together with the table. */
  readonly isRestored: boolean;
}

/** @throws RekindleError where the plan refuses. */
export async function decideDestiny(options: BootOptions): Promise<Destiny> {
  const { policy, discovery, lock, files, connect, log, restorer } = options;
  const now = () => performance.now();
  const startedAt = now();
  const observer = createObserver(connect, restorer !== undefined);
  const actor = createActor(observer, log, now);
  const watcher = createWatcher(log, now);
  let isSelfTold = false;
  let changedAt = startedAt;
  let foundedAt: string | undefined;
  let isLocked = false;
  let room: WaitingRoom | undefined;
  /** Told to the others, who must know before they restore. */
  let isBlank = false;

  /** @returns whether we hold the lock, and knew all that it tells when we decided. */
  async function isOurTurn(peers: Peers): Promise<boolean> {
    const holding = await lock.hold(isAmong(peers));
    if (!holding.held) watcher.waiting(holding.why);
    const isNews = holding.held && (!isLocked || holding.foundedAt !== foundedAt);
    isLocked = holding.held;
    foundedAt = holding.held ? holding.foundedAt : undefined;
    return isLocked && !(isNews && lock !== noLock);
  }

  /** @returns what this node becomes, once that is decided. */
  async function follow(decision: Plan, self: Self, peers: Peers): Promise<Destiny | undefined> {
    switch (decision.kind) {
      case "wait":
      case "done":
        return undefined;
      case "act":
        if (!decision.isExclusive || (await isOurTurn(peers))) await actor.carryOut(decision.steps);
        return undefined;
      case "set-aside":
        log.warn("action", "set aside", {
          files: setAside(files, new Date(), false),
          reason: decision.reason,
        });
        return undefined;
      case "become":
        await actor.carryOut(decision.steps);
        if (isLocked) await tellFounded(lock, log);
        return {
          address: self.address,
          table: decision.table,
          isRestored: decision.isRestored === true,
        };
      case "find-snapshot":
        await restorer?.look();
        return undefined;
      case "restore":
        await restorer?.prepare(decision.slots);
        // What was seen last is of before that.
        changedAt = now();
        return undefined;
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
      if (!isSelfTold) await options.onSelf(peers.self.address);
      isSelfTold = true;
      const self = { ...readSelf(peers, files, log), restored: slotsOf(restorer?.ready) };
      isBlank = self.table === undefined && self.data === "none" && !self.unreadSnapshot;
      if (restorer && room === undefined)
        room = await openWaitingRoom(self.address, connect, {
          tell: () => ({ isBlank, restores: slotsOf(restorer.wanted) }),
        });
      const views = await observer.look(peers.others);
      if (watcher.observed(sightsOf(views))) changedAt = now();
      const decision = plan({
        policy,
        self,
        peers: views,
        unchangedMs: now() - changedAt,
        foundedAt,
        snapshot: restorer?.sight,
      });
      watcher.decided(decision);
      const destiny = await follow(decision, self, peers);
      if (destiny !== undefined) return destiny;
      await pause(decision.kind === "act" ? 10 : pauseMs(waitedMs));
    }
  } finally {
    observer.close();
    await room?.close();
    await lock.release();
  }
}

const slotsOf = (restored: Restorer["wanted"]): readonly SlotRange[] | undefined =>
  restored === "all" ? undefined : restored;

/** Who holds the lock when all is set up has founded the cluster, or carried a founding to its end. */
async function tellFounded(lock: Lock, log: Log): Promise<void> {
  log.info("action", "the cluster is founded", { report: "Founded" });
  await lock.markFounded(new Date().toISOString()).catch((thrown: unknown) => {
    // It is founded all the same; only who founds anew one day would not know.
    log.warn("action", `the Lease does not tell that it is founded: ${messageOf(thrown)}`);
  });
}

function readSelf(peers: Peers, files: DataFiles, log: Log): Self {
  const { self } = peers;
  if (self === undefined) throw new Error("asked for the own disk before the own name was known");
  let disk = readDisk(files);
  if (disk.torn !== undefined) {
    const names = setAside(files, new Date(), true);
    log.warn(
      "action",
      "nodes.conf is torn; set aside with the data that nobody can place without it",
      {
        files: names,
        reason: disk.torn,
      },
    );
    disk = readDisk(files);
  }
  return { ...self, table: disk.table, data: disk.data, unreadSnapshot: disk.unreadSnapshot };
}
