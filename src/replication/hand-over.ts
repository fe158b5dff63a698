/**
 * Handing the alpha's role over without losing a write that was acknowledged.
 *
 * A plain SENTINEL FAILOVER loses some: the old alpha takes writes for seconds after the new one was promoted (redis#6062).
 * Where the Sentinels have a coordinated failover, it is theirs to do (coordinated-failover.ts). Elsewhere, or where nothing came
 * of it, writes are held back first; when every beta has processed all that came before, whichever the Sentinels promote has
 * everything. The old alpha is made a beta by ourselves, before its clients may write again. What goes wrong is called off
 * while the writes are still held back.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatEndpoint } from "../address.ts";
import type { Outcome } from "../cluster/drain.ts";
import { type Connections, openConnections } from "../redis/connections.ts";
import { parseInfo } from "../redis/info.ts";
import { type Beta, openElectors } from "./ask-electors.ts";
import { type Attempt, type HandOverOptions, late } from "./attempt.ts";
import { watchCoordinated } from "./coordinated-failover.ts";
import { confirm, holdAndFailOver, stepDownAfter } from "./hold-and-step-down.ts";
import { holdWrites } from "./hold-writes.ts";
import { parseBetas } from "./observe.ts";
import { resolvePeer } from "./sentinels.ts";

const lookAgainMs = 50;

export async function handOver(options: HandOverOptions): Promise<Outcome> {
  const { address, leftMs, log } = options;
  const connections = openConnections(options.connect);
  const electors = openElectors(options);
  // Once: what did not get on would hold writes back again.
  let mayCoordinate = true;

  async function tryOnce(own: Own): Promise<Outcome> {
    if (own.betas.length === 0) return late("no beta follows this alpha");
    if (!own.betas.every(({ isOnline }) => isOnline))
      return late("a beta is yet to copy this alpha");
    const betas = await resolveBetas(own);
    if (typeof betas === "string") return late(betas);
    const nodes = [address, ...betas.map((beta) => beta.address)];
    const elector = await electors.find(nodes);
    if (elector === undefined) return late("no Sentinel answers that watches this alpha");
    if (elector.is === "finishing")
      return late("the Sentinels have yet to finish another failover");
    const attempt: Attempt = { ...options, connections, electors, elector, betas, nodes };
    const isAsked = mayCoordinate && elector.is === "idle";
    mayCoordinate &&= elector.is !== "idle";
    if (
      elector.is === "coordinating" ||
      (isAsked && (await electors.coordinate(elector.at, betas)))
    )
      return followCoordinated(attempt, own.replicationId);
    return holdAndFailOver(attempt);
  }

  try {
    for (let said = ""; ; ) {
      // Again, where a Sentinel has just cut all clients off.
      const own = await readOwn(connections, address).catch(() => readOwn(connections, address));
      if (own.role === "slave")
        return { kind: "done", reason: "this node is a beta: it has nothing to hand over" };
      if (!(await options.isAnyStaying()))
        return { kind: "done", reason: "nobody stays to take over: the whole set is stopping" };
      const outcome = await tryOnce(own);
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
  readonly replicationId: string;
  readonly betas: ReturnType<typeof parseBetas>;
}

async function readOwn(connections: Connections, address: Address): Promise<Own> {
  const [reply] = await connections.ask(address, [["INFO", "replication"]]);
  const info = parseInfo(String(reply));
  const text = (name: string) => info.get(name) ?? "";
  return { role: text("role"), replicationId: text("master_replid"), betas: parseBetas(info) };
}

/** @returns why one cannot be reached, in words, where its name leads nowhere. */
async function resolveBetas(own: Own): Promise<readonly Beta[] | string> {
  const betas: Beta[] = [];
  const peers = await Promise.all(own.betas.map(({ at }) => resolvePeer(at)));
  for (const [index, { at }] of own.betas.entries()) {
    const peer = peers[index];
    if (peer?.address === undefined) return peer?.waitingFor ?? "";
    betas.push({ at, address: peer.address });
  }
  return betas;
}

async function followCoordinated(attempt: Attempt, replicationId: string): Promise<Outcome> {
  const { connections, address, log, leftMs } = attempt;
  log.info("action", "the Sentinels coordinate a failover with this alpha", {
    report: "HandingOver",
  });
  const result = await watchCoordinated(connections, address, replicationId, leftMs);
  switch (result.kind) {
    case "off":
      log.warn("action", `the hand-over is called off: ${result.why}`);
      return late(result.why);
    case "returned":
      return stepDownAfter(attempt, await holdWrites(attempt));
    case "followed": {
      const heir = attempt.betas.find(
        ({ at }) => formatEndpoint(at) === formatEndpoint(result.heir),
      );
      if (heir === undefined) return late(`${formatEndpoint(result.heir)} is the alpha now`);
      await attempt.onPromoted(heir.address);
      return confirm(attempt, heir);
    }
  }
}
