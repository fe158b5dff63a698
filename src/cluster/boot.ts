/**
 * Observe, plan, act, until the plan says what to become.
 */
import type { Address } from "../address.ts";
import type { Discovery, Peers } from "../discovery/discovery.ts";
import { RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ConnectOptions } from "../redis/connection.ts";
import { createActor } from "./act.ts";
import { type DataFiles, readDisk, setAside } from "./disk.ts";
import type { NodeTable } from "./nodes.ts";
import { createObserver } from "./observe.ts";
import { plan } from "./plan.ts";
import type { Plan, Policy, Self } from "./types.ts";
import { createWatcher } from "./watch.ts";

export interface BootOptions {
  readonly policy: Policy;
  readonly discovery: Discovery;
  readonly files: DataFiles;
  readonly connect: ConnectOptions;
  readonly log: Log;
  /** Told once, before anything else is done, where this node is. */
  readonly onSelf: (address: Address) => Promise<void>;
}

export interface Destiny {
  readonly address: Address;
  /** The nodes.conf to start with; `undefined` leaves the server to begin blank. */
  readonly table: NodeTable | undefined;
}

/** @throws RekindleError where the plan refuses. */
export async function decideDestiny(options: BootOptions): Promise<Destiny> {
  const { policy, discovery, files, connect, log } = options;
  const startedAt = performance.now();
  const observer = createObserver(connect);
  const actor = createActor(observer, log, () => performance.now());
  const watcher = createWatcher(log, () => performance.now());
  let known = false;
  let changedAt = startedAt;
  try {
    for (;;) {
      const waitedMs = performance.now() - startedAt;
      const peers = await discovery.find();
      if (peers.self === undefined) {
        watcher.waiting(peers.selfWaitingFor ?? "discovery does not name this node yet");
        await pause(pauseMs(waitedMs) * 4);
        continue;
      }
      if (!known) await options.onSelf(peers.self.address);
      known = true;
      const self = readSelf(peers, files, log);
      const views = await observer.look(peers.others);
      if (watcher.observed(views)) changedAt = performance.now();
      const unchangedMs = performance.now() - changedAt;
      const decision = plan({ policy, self, peers: views, unchangedMs });
      watcher.decided(decision);
      const destiny = await follow(decision, self, files, log, actor);
      if (destiny !== undefined) return destiny;
      await pause(decision.kind === "act" ? 10 : pauseMs(waitedMs));
    }
  } finally {
    observer.close();
  }
}

async function follow(
  decision: Plan,
  self: Self,
  files: DataFiles,
  log: Log,
  actor: ReturnType<typeof createActor>,
): Promise<Destiny | undefined> {
  switch (decision.kind) {
    case "wait":
    case "done":
      return undefined;
    case "act":
      await actor.carryOut(decision.steps);
      return undefined;
    case "set-aside":
      log.warn("action", "set aside", {
        files: setAside(files, new Date(), false),
        reason: decision.reason,
      });
      return undefined;
    case "become":
      await actor.carryOut(decision.steps);
      return { address: self.address, table: decision.table };
    case "refuse":
      throw new RekindleError(decision.exit, decision.reason, { hint: decision.hint });
  }
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

/** Quick at first, when peers are a moment away; once a second after a minute. */
function pauseMs(waitedMs: number): number {
  return Math.min(1_000, Math.max(20, waitedMs / 50));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
