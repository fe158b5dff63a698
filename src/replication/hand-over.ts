/**
 * Handing the alpha's role over without losing a write that was acknowledged.
 *
 * A plain SENTINEL FAILOVER loses some: the old alpha takes writes for seconds after the new one was promoted (redis#6062).
 * Here writes are held back first; when every beta has processed all that came before, whichever the Sentinels promote has
 * everything. The old alpha is made a beta by ourselves, before its clients may write again. What goes wrong is called off
 * while the writes are still held back.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatEndpoint } from "../address.ts";
import type { Outcome } from "../cluster/drain.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Connections, openConnections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Beta, type Electors, type ElectorsOptions, openElectors } from "./ask-electors.ts";
import { firstReply, type Hold, holdWrites, isEarly } from "./hold-writes.ts";
import { parseBetas } from "./observe.ts";
import { resolvePeer } from "./sentinels.ts";
import type { HostPort } from "./types.ts";

export interface HandOverOptions extends ElectorsOptions {
  /** Where this node's server listens for us. */
  readonly address: Address;
  readonly log: Log;
  /** Told of the new alpha before this node steps down. Never rejects. */
  readonly onPromoted: (heir: Address) => Promise<void>;
  /** Whether some other node is there to stay; without it, a set that stops as a whole would wait for a beta in vain. */
  readonly isAnyStaying: () => Promise<boolean>;
  /** Asked again and again: how much time is left, in milliseconds. */
  readonly leftMs: () => number;
}

const lookAgainMs = 50;

export async function handOver(options: HandOverOptions): Promise<Outcome> {
  const { address, leftMs, log } = options;
  const connections = openConnections(options.connect);
  const electors = openElectors(options);
  try {
    for (let said = ""; ; ) {
      const own = await readOwn(connections, address);
      if (own.role === "slave")
        return { kind: "done", reason: "this node is a beta: it has nothing to hand over" };
      if (!(await options.isAnyStaying()))
        return { kind: "done", reason: "nobody stays to take over: the whole set is stopping" };
      const outcome = await tryOnce(options, connections, electors, own);
      if (outcome.kind === "done") return outcome;
      if (outcome.reason !== said) log.info("wait", `waiting: ${outcome.reason}`);
      said = outcome.reason;
      if (leftMs() <= 0) return outcome;
      await pause(lookAgainMs * 4);
    }
  } finally {
    connections.close();
    electors.close();
  }
}

interface Own {
  readonly role: string;
  readonly betas: ReturnType<typeof parseBetas>;
}

async function readOwn(connections: Connections, address: Address): Promise<Own> {
  const [reply] = await connections.ask(address, [["INFO", "replication"]]);
  const info = parseInfo(String(reply));
  return { role: info.get("role") ?? "", betas: parseBetas(info) };
}

async function tryOnce(
  options: HandOverOptions,
  connections: Connections,
  electors: Electors,
  own: Own,
): Promise<Outcome> {
  if (own.betas.length === 0) return late("no beta follows this alpha");
  if (!own.betas.every(({ isOnline }) => isOnline)) return late("a beta is yet to copy this alpha");
  const { address, log, leftMs } = options;
  const betas: Beta[] = [];
  for (const peer of await Promise.all(
    own.betas.map(async ({ at }) => ({ at, ...(await resolvePeer(at)) })),
  )) {
    if (peer.address === undefined) return late(peer.waitingFor);
    betas.push(peer);
  }
  const nodes = [address, ...betas.map((beta) => beta.address)];
  const elector = await electors.find(nodes);
  if (elector === undefined) return late("no Sentinel answers that watches this alpha");
  if (elector.is === "finishing") return late("the Sentinels have yet to finish another failover");
  const hold = await holdWrites(connections, address);
  log.info("action", "writes are held back until the betas have everything", {
    report: "HandingOver",
  });
  const callOff = async (why: string): Promise<Outcome> => {
    await hold.release();
    log.warn("action", `the hand-over is called off: ${why}`);
    return late(why);
  };
  let heir: Beta | undefined;
  try {
    if (!(await haveAll(connections, betas, hold))) return await callOff("a beta does not keep up");
    // One that has begun by itself refuses to begin again; whoever it promotes has everything now.
    const refusal = elector.is === "idle" ? await electors.failOver(elector.at) : undefined;
    if (refusal !== undefined) return await callOff(refusal);
    heir = await findPromoted(connections, betas, () => electors.isElecting(elector.at), hold);
  } catch (thrown) {
    return await callOff(messageOf(thrown));
  }
  if (heir === undefined) return callOff("the Sentinels did not promote a beta in time");
  const told = options.onPromoted(heir.address);
  // From here on there is another alpha: what this one took would be lost. Nothing is called off any more.
  if (!(await stepDown(connections, address, heir.at, hold)))
    return late(`${formatEndpoint(heir.at)} is the alpha now, and this node does not follow it`);
  // As a beta it takes no writes; as an alpha again one day it must.
  await hold.release();
  await told;
  await electors.awaitAgreement(heir, nodes, leftMs);
  return { kind: "done", reason: `${formatEndpoint(heir.at)} is the alpha now` };
}

const late = (reason: string): Outcome => ({ kind: "late", reason });

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
  const isAlpha = async ({ address }: Beta) => {
    const reply = await firstReply(connections, address, ["ROLE"]);
    return Array.isArray(reply) && reply[0] === "master";
  };
  do {
    const promoted = await Promise.all(betas.map(isAlpha));
    const heir = betas[promoted.indexOf(true)];
    if (heir) return heir;
    await pause(lookAgainMs);
  } while (isEarly(hold, 0.5) || (isEarly(hold, 0.9) && (await isUnderWay())));
  return undefined;
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
