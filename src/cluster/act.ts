/**
 * Carries a plan's steps out with Redis commands: one pipeline a node, all nodes at once.
 *
 * Each step may be repeated without harm, and some must not be repeated at once: an introduction needs its time, and asking
 * again for a promotion would begin the election anew. The pauses are kept here, so that the planner needs no memory.
 */
import { formatAddress } from "../address.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Command, ReplyError } from "../redis/resp.ts";
import type { Observer } from "./observe.ts";
import type { Member, Step } from "./types.ts";

export interface Actor {
  /** Failures are logged, not thrown: the next look shows what came of the steps. */
  carryOut(steps: readonly Step[]): Promise<void>;
}

const pausesMs: Readonly<Record<Step["kind"], number>> = {
  claim: 0,
  "add-slots": 0,
  meet: 300,
  replicate: 100,
  promote: 2_000,
  forget: 1_000,
  "node-timeout": 0,
};

/** A hand-over in good order gives up by itself after this long (CLUSTER_MF_TIMEOUT). */
const handOverMs = 5_000;

/** Servers that have many introductions to work through need longer; asked again meanwhile, they would need longer still. */
const meetingMs = 0.2;

/** @param now a clock in milliseconds. */
export function createActor(observer: Observer, log: Log, now: () => number): Actor {
  const doneAt = new Map<string, number>();

  function isDue(step: Step, meetings: number): boolean {
    const key = describeStep(step);
    const last = doneAt.get(key);
    const pauseMs = pauseAfter(step, meetings);
    if (last !== undefined && now() - last < pauseMs) return false;
    doneAt.set(key, now());
    return true;
  }

  return {
    async carryOut(steps) {
      const meetings = steps.filter((step) => step.kind === "meet").length;
      const due = steps.filter((step) => isDue(step, meetings));
      const impostors = await findImpostors(observer, due);
      const verified = due.filter(
        (step) => step.kind !== "meet" || !step.whom.seen || !impostors.has(step.whom.seen.id),
      );
      for (const name of impostors.values())
        log.warn("action", `not met: ${name} is no longer the node that answered there`);
      // Not Map.groupBy: as a part of the library this runs on Node 20, too.
      const nodes = [...new Set(verified.map((step) => step.at))];
      const stepsOf = (node: Member) => verified.filter((step) => step.at === node);
      await Promise.all(nodes.map((node) => sendSteps(observer, node, stepsOf(node), log)));
    },
  };
}

function pauseAfter(step: Step, meetings: number): number {
  if (step.kind === "meet") return Math.max(pausesMs.meet, meetings * meetingMs);
  return step.kind === "promote" && step.how === "in order" ? handOverMs : pausesMs[step.kind];
}

/**
 * Rule 10: who is to be met is asked for its id once more, over the connection on which it answered.
 *
 * @returns the names, by id, of those that are not who they were.
 */
async function findImpostors(
  observer: Observer,
  steps: readonly Step[],
): Promise<ReadonlyMap<string, string>> {
  const whom = new Map<string, Member>();
  for (const step of steps)
    if (step.kind === "meet" && step.whom.seen) whom.set(step.whom.seen.id, step.whom);
  const impostors = new Map<string, string>();
  await Promise.all(
    [...whom].map(async ([id, member]) => {
      const replies = await observer
        .connectionTo(member.address)
        ?.send([["CLUSTER", "MYID"]])
        .catch(() => undefined);
      if (replies?.[0] !== id) impostors.set(id, member.name);
    }),
  );
  return impostors;
}

async function sendSteps(
  observer: Observer,
  at: Member,
  steps: readonly Step[],
  log: Log,
): Promise<void> {
  const connection = observer.connectionTo(at.address);
  if (!connection?.open) return;
  try {
    const replies = await connection.send(steps.map(commandOf));
    steps.forEach((step, index) => {
      const reply = replies[index];
      if (reply instanceof ReplyError)
        log.warn("action", `${describeStep(step)}: ${reply.message}`);
      else logStep(log, step);
    });
  } catch (thrown) {
    log.warn(
      "action",
      `${at.name} did not confirm ${steps.map((step) => step.kind).join(", ")}: ${messageOf(thrown)}`,
    );
  }
}

/** Introductions are many and repeated; the others are what an operator wants to read. */
function logStep(log: Log, step: Step): void {
  if (step.kind === "meet") log.debug("action", describeStep(step));
  else log.info("action", describeStep(step));
}

function commandOf(step: Step): Command {
  switch (step.kind) {
    case "claim":
      return ["CLUSTER", "SET-CONFIG-EPOCH", step.epoch];
    case "add-slots":
      // Every slot by itself: the ranged form is new in 7.0, and either is carried out whole or not at all.
      return [
        "CLUSTER",
        "ADDSLOTS",
        ...step.slots.flatMap(([first, last]) =>
          Array.from({ length: last - first + 1 }, (_, i) => first + i),
        ),
      ];
    case "meet":
      return [
        "CLUSTER",
        "MEET",
        step.whom.address.ip,
        step.whom.address.port,
        step.whom.address.busPort,
      ];
    case "replicate":
      return ["CLUSTER", "REPLICATE", step.alphaId];
    case "promote":
      return ["CLUSTER", "FAILOVER", ...(step.how === "in order" ? [] : [step.how.toUpperCase()])];
    case "forget":
      return ["CLUSTER", "FORGET", step.id];
    case "node-timeout":
      return ["CONFIG", "SET", "cluster-node-timeout", step.ms];
  }
}

function describeStep(step: Step): string {
  switch (step.kind) {
    case "claim":
      return `${step.at.name}: claim it with epoch ${step.epoch}`;
    case "add-slots":
      return `${step.at.name}: give it slots ${step.slots.map(([first, last]) => `${first}-${last}`).join(",")}`;
    case "meet":
      return `${step.at.name}: meet ${formatAddress(step.whom.address)}`;
    case "replicate":
      return `${step.at.name}: become a beta of ${step.alphaId}`;
    case "promote":
      return `${step.at.name}: become the alpha (${step.how})`;
    case "forget":
      return `${step.at.name}: forget ${step.id}`;
    case "node-timeout":
      return `${step.at.name}: set its node timeout to ${step.ms} ms`;
  }
}
