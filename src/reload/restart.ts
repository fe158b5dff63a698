/**
 * Restarts the own server when it is its turn, and lets nobody else have theirs before it is back in sync.
 *
 * The server is told to end (SHUTDOWN); whoever started it starts it again: the kubelet, a container's restart policy. That needs
 * neither a view of its process nor the right to delete its pod.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Address } from "../address.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { ReplyError } from "../redis/resp.ts";
import { createWatcher } from "../watcher.ts";
import type { Around, SetNode, SetSeen } from "./around.ts";
import { type Access, askNodes, enter, type NodeSeen } from "./ask-nodes.ts";
import { type Difference, describeDifference } from "./compare.ts";
import { readLife } from "./server-life.ts";
import { whyNotMyTurn } from "./turn.ts";

export interface RestartOptions {
  readonly address: Address;
  readonly access: Access;
  readonly around: Around;
  readonly log: Log;
  /** What it is for. */
  readonly pending: readonly Difference[];
  /** Of the server's life that is to end. */
  readonly runId: string;
  /** Whether the files are still those that were found valid. */
  readonly isCurrent: () => boolean;
  /** Told when the server has taken the order to end. */
  readonly onEnd: () => void;
  readonly signal: AbortSignal;
}

/** For the files that a server writes before it ends, and for betas that it waits for. */
const shutdownDeadlineMs = 60_000;
const lookAgainMs = 250;
const renewAfterMs = 2_000;

/** @returns why it is not the time yet; undefined when the server is back, and all is well. */
export async function restartInTurn(options: RestartOptions): Promise<string | undefined> {
  const { around, log, pending, isCurrent, onEnd } = options;
  // First: of many that wait, one alone looks at all the others.
  const holding = await around.hold();
  if (!holding.held) return holding.why;
  // Handing over, and ending, may take longer than it is held.
  const renewal = setInterval(() => around.hold().catch(() => {}), renewAfterMs);
  try {
    const before = await lookAround(options);
    const why = whyNotNow(options, before);
    if (why !== undefined) return why;
    const names = pending.map(describeDifference).join(", ");
    log.info("action", `restarting for ${names}`, { report: "Restarting" });
    const startedAt = performance.now();
    const { kind, reason } = await around.drain();
    if (kind !== "done") return `the alpha's role is not handed over: ${reason}`;
    if (!isCurrent()) return "the files have changed again";
    const still = await around.hold();
    if (!still.held) return still.why;
    await endServer(options);
    onEnd();
    await untilBack(options, before.self.restarts);
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    log.info("action", `restarted, and in sync after ${seconds} s`, { report: "Restarted" });
    return undefined;
  } finally {
    clearInterval(renewal);
    await around.release();
  }
}

interface Seen extends Omit<SetSeen, "others"> {
  readonly others: readonly (SetNode & NodeSeen)[];
}

async function lookAround({ around, access }: RestartOptions): Promise<Seen> {
  const seen = await around.look();
  return { ...seen, others: await askNodes(seen.others, access) };
}

function whyNotNow(
  { around, pending }: RestartOptions,
  { self, others, trouble }: Seen,
): string | undefined {
  if (trouble !== undefined) return `the set is not whole: ${trouble}`;
  const isAlpha = self.role === "alpha";
  return whyNotMyTurn({ self: self.name, isAlpha, others, pending, hasLock: around.hasLock });
}

/** @throws Error with the server's words where it does not end. */
async function endServer({ address, access }: RestartOptions): Promise<void> {
  const connection = await enter(address, { ...access, deadlineMs: shutdownDeadlineMs });
  try {
    const [reply] = await connection.send([["SHUTDOWN"]]);
    throw new Error(
      `the server does not end: ${reply instanceof ReplyError ? messageOf(reply) : reply}`,
    );
  } catch (thrown) {
    // It ended before it could answer.
    if (connection.open) throw thrown;
  } finally {
    connection.close();
  }
}

/** A server of another life answers, and the set is whole. */
async function untilBack(options: RestartOptions, restarts: number | undefined): Promise<void> {
  const { log, signal } = options;
  const watcher = createWatcher(log, () => performance.now());
  while (!signal.aborted) {
    const why = await whyNotBack(options, restarts);
    if (why === undefined) return;
    watcher.waiting(why);
    await pause(lookAgainMs, undefined, { signal }).catch(() => {}); // Aborted: the loop ends.
  }
}

async function whyNotBack(
  options: RestartOptions,
  restarts: number | undefined,
): Promise<string | undefined> {
  const { address, access, around, runId } = options;
  try {
    const connection = await enter(address, access);
    try {
      if ((await readLife(connection)).runId === runId) return "the server is yet to end";
    } finally {
      connection.close();
    }
    const { self, trouble } = await around.look();
    // Kubernetes takes a while to hear of it, and calls it ready until then.
    const isKnown = restarts === undefined || self.restarts !== restarts;
    return trouble ?? (isKnown ? undefined : "Kubernetes has yet to hear of the restart");
  } catch (thrown) {
    return `the server is yet to come back: ${messageOf(thrown)}`;
  }
}
