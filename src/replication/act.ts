/**
 * Carries a plan's steps out. Each may be repeated without harm, and none is at once: an election needs its time.
 */
import { formatEndpoint } from "../address.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Command, ReplyError } from "../redis/resp.ts";
import type { Observer } from "./observe.ts";
import type { Step } from "./types.ts";

export interface Actor {
  /** Failures are logged, not thrown: the next look shows what came of the steps. */
  carryOut(steps: readonly Step[]): Promise<void>;
}

const repeatMs: Readonly<Record<Step["kind"], number>> = {
  // Sentinel itself begins no second failover of one alpha sooner (`sentinelStartFailoverIfNeeded`: twice its failover-timeout).
  "fail-over": 5_000,
  promote: 1_000,
  follow: 1_000,
};

/** @param now a clock in milliseconds. */
export function createActor(observer: Observer, set: string, log: Log, now: () => number): Actor {
  const doneAt = new Map<string, number>();

  async function carryOutOne(step: Step): Promise<void> {
    const said = describeStep(step);
    if (now() - (doneAt.get(said) ?? Number.NEGATIVE_INFINITY) < repeatMs[step.kind]) return;
    const { address } = step.at;
    const connection = address && observer.connectionTo(address);
    // Told by nobody, it is not done: the next look connects again.
    if (!connection?.open) return log.warn("action", `${said}: not sent: the connection is gone`);
    doneAt.set(said, now());
    try {
      const [reply] = await connection.send([commandOf(step, set)]);
      if (reply instanceof ReplyError) log.warn("action", `${said}: ${reply.message}`);
      else log.info("action", said);
    } catch (thrown) {
      log.warn("action", `${said}: not confirmed: ${messageOf(thrown)}`);
    }
  }
  return {
    async carryOut(steps) {
      await Promise.all(steps.map(carryOutOne));
    },
  };
}

function commandOf(step: Step, set: string): Command {
  switch (step.kind) {
    case "fail-over":
      return ["SENTINEL", "FAILOVER", set];
    case "promote":
      return ["REPLICAOF", "NO", "ONE"];
    case "follow":
      return ["REPLICAOF", step.alpha.host, step.alpha.port];
  }
}

function describeStep(step: Step): string {
  switch (step.kind) {
    case "fail-over":
      return `the Sentinel ${step.at.name}: elect another alpha`;
    case "promote":
      return `${step.at.name}: become the alpha`;
    case "follow":
      return `${step.at.name}: become a beta of ${formatEndpoint(step.alpha)}`;
  }
}
