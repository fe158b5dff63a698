/**
 * A hand-over whose writes we hold back ourselves, until this node is a beta of whoever the Sentinels have promoted.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatEndpoint } from "../address.ts";
import type { Outcome } from "../cluster/drain.ts";
import { messageOf } from "../errors.ts";
import type { Connections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import type { Beta } from "./ask-electors.ts";
import { type Attempt, late } from "./attempt.ts";
import { firstReply, type Hold, holdWrites, isEarly } from "./hold-writes.ts";
import type { HostPort } from "./types.ts";

const lookAgainMs = 50;

export async function holdAndFailOver(attempt: Attempt): Promise<Outcome> {
  const { connections, betas, electors, elector, log } = attempt;
  let hold: Hold;
  try {
    hold = await holdWrites(attempt);
  } catch (thrown) {
    return late(`the writes cannot be held back: ${messageOf(thrown)}`);
  }
  log.info("action", "writes are held back until the betas have everything", {
    report: "HandingOver",
  });
  try {
    if (!(await haveAll(connections, betas, hold)))
      return await callOff(attempt, hold, "a beta does not keep up");
    // One that has begun by itself refuses to begin again; whoever it promotes has everything now.
    const refusal = elector?.is === "idle" ? await electors.failOver(elector.at) : undefined;
    if (refusal !== undefined) return await callOff(attempt, hold, refusal);
  } catch (thrown) {
    return await callOff(attempt, hold, messageOf(thrown));
  }
  return stepDownAfter(attempt, hold);
}

async function callOff({ log }: Attempt, hold: Hold, why: string): Promise<Outcome> {
  await hold.release();
  log.warn("action", `the hand-over is called off: ${why}`);
  return late(why);
}

/** For whom the Sentinels promote, while writes are held back. */
export async function stepDownAfter(attempt: Attempt, hold: Hold): Promise<Outcome> {
  const { connections, address, betas, electors, elector, onPromoted } = attempt;
  const isUnderWay = async () => elector !== undefined && electors.isElecting(elector.at);
  const heir = await findPromoted(connections, betas, isUnderWay, hold);
  if (heir === undefined)
    return callOff(attempt, hold, "the Sentinels did not promote a beta in time");
  const told = onPromoted(heir.address);
  // From here on there is another alpha: what this one took would be lost. Nothing is called off any more.
  if (!(await stepDown(connections, address, heir.at, hold)))
    return late(`${formatEndpoint(heir.at)} is the alpha now, and this node does not follow it`);
  // As a beta it takes no writes; as an alpha again one day it must.
  await hold.release();
  await told;
  return confirm(attempt, heir);
}

/** Until all Sentinels name the new alpha. */
export async function confirm({ electors, nodes, leftMs }: Attempt, heir: Beta): Promise<Outcome> {
  await electors.awaitAgreement(heir, nodes, leftMs);
  return { kind: "done", reason: `${formatEndpoint(heir.at)} is the alpha now` };
}

async function haveAll(
  connections: Connections,
  betas: readonly Beta[],
  hold: Hold,
): Promise<boolean> {
  const offsetOf = async ({ address }: Beta) => {
    const reply = await firstReply(connections, address, ["INFO", "replication"]);
    return Number(parseInfo(String(reply)).get("slave_repl_offset") ?? -1);
  };
  do {
    const offsets = await Promise.all(betas.map(offsetOf));
    if (offsets.every((offset) => offset >= hold.target)) return true;
    await pause(lookAgainMs);
  } while (isEarly(hold, 0.25));
  return false;
}

/** Within half of the time; one that the Sentinels are just about to promote is waited for as long as writes are held back. */
async function findPromoted(
  connections: Connections,
  betas: readonly Beta[],
  isUnderWay: () => Promise<boolean>,
  hold: Hold,
): Promise<Beta | undefined> {
  do {
    const heir = await findAlphaAmong(connections, betas);
    if (heir) return heir;
    await pause(lookAgainMs);
  } while (isEarly(hold, 0.5) || (isEarly(hold, 0.9) && (await isUnderWay())));
  return undefined;
}

/** One of them that is an alpha by now. */
export async function findAlphaAmong(
  connections: Connections,
  betas: readonly Beta[],
): Promise<Beta | undefined> {
  const areAlphas = await Promise.all(
    betas.map(async ({ address }) => {
      const reply = await firstReply(connections, address, ["ROLE"]);
      return Array.isArray(reply) && reply[0] === "master";
    }),
  );
  return betas[areAlphas.indexOf(true)];
}

/**
 * Sentinel itself would do this eight seconds later (`sentinelRefreshInstanceInfo`). Whose write was held back is cut off: it
 * was not carried out, and the client asks a Sentinel and sends it to the new alpha.
 *
 * @returns whether this node follows the new alpha, before anything is written to it again.
 */
async function stepDown(
  connections: Connections,
  address: Address,
  heir: HostPort,
  hold: Hold,
): Promise<boolean> {
  const commands = [
    ["REPLICAOF", heir.host, heir.port],
    ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
  ];
  do {
    const [reply] = await connections.ask(address, commands).catch(() => []);
    if (typeof reply === "string") return true;
    await pause(lookAgainMs);
  } while (isEarly(hold, 0.95));
  return false;
}
