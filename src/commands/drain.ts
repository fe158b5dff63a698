/**
 * `rekindle drain`: the preStop hook of every node. Hands its slots over, and has the others forget it.
 */
import { openSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { sameAddress } from "../address.ts";
import { type DrainOptions, drain, type Outcome, ownAddress } from "../cluster/drain.ts";
import { type ClusterSettings, clusterSettingDescriptions } from "../cluster/settings.ts";
import { exitCodes, messageOf } from "../errors.ts";
import { createLog, type Log, teeLogs } from "../log.ts";
import { openRecord } from "../metrics/record.ts";
import { openConnections, readFailure } from "../redis/connections.ts";
import { type Mode, readMode } from "../redis/read-mode.ts";
import { readCredentials, readTls } from "../redis/secrets.ts";
import type { HandOverOptions } from "../replication/attempt.ts";
import { handOver } from "../replication/hand-over.ts";
import type { HoldGuard } from "../replication/hold-writes.ts";
import { findSentinels } from "../replication/sentinels.ts";
import { roleLabel, sentinelDescriptions } from "../replication/settings.ts";
import { takeBack } from "../replication/take-back.ts";
import type { MarkAlpha } from "../replication/tend.ts";
import { duration, type Flags, readSettings, type Settings } from "../settings.ts";
import { guardDrain, readLeftBehind } from "./guard-drain.ts";
import { askKubernetes, connectionDescriptions, whereaboutsDescriptions } from "./surroundings.ts";

export const descriptions = {
  gracePeriod: duration(
    "the time for all of it, where Kubernetes does not tell it",
    { from: 1_000, to: 3_600_000 },
    "25s",
  ),
  dir: clusterSettingDescriptions.dir,
  ...sentinelDescriptions,
  roleLabel,
  ...whereaboutsDescriptions,
  ...connectionDescriptions,
} as const;

const askDeadlineMs = 1_000;
const lookAgainMs = 100;
/** Of the grace period, for the server's own end. */
const serverEndMs = 5_000;

/** @returns 0 when the node has left, or there is nothing to leave; 75 when the time ran out. */
export async function run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number> {
  process.once("SIGTERM", () => process.exit(128 + 15));
  const settings = readSettings(descriptions, flags, environment);
  const startedAt = Date.now();
  const record = openRecord(settings.dir, "drain", createDrainLog(settings));
  // Without Kubernetes the node's own table has to do.
  const surroundings = await askKubernetes(settings, environment, record.log, "drain", (thrown) =>
    record.log.warn("observed", `Kubernetes cannot be asked: ${messageOf(thrown)}`),
  );
  const log = surroundings?.log ?? record.log;
  const endsAt = () => surroundings?.endsAt() ?? startedAt + settings.gracePeriod;
  const { kind, reason } = await leave({
    settings,
    environment,
    address: ownAddress(settings.address, settings.port),
    discovery: surroundings?.discovery,
    markAlpha: surroundings?.markAlpha ?? (async () => "right"),
    guard: (left) => guardDrain(left, process.argv.slice(2)),
    connect: {
      credentials: readCredentials(settings, environment),
      tls: readTls(settings),
      deadlineMs: askDeadlineMs,
    },
    log,
    leftMs: () => endsAt() - serverEndMs - Date.now(),
  });
  if (kind === "done") log.info("action", reason, { report: "Drained" });
  else
    log.error("error", `this node could not leave in time: ${reason}`, {
      exit: exitCodes.tryAgain,
      report: "DrainFailed",
    });
  if (kind !== "done") record.handedOver("failed");
  else if (record.hasReported("HandingOver")) record.handedOver("done");
  await surroundings?.close();
  return kind === "done" ? exitCodes.done : exitCodes.tryAgain;
}

export interface LeaveOptions extends DrainOptions {
  readonly settings: Settings<typeof sentinelDescriptions>;
  readonly environment: NodeJS.ProcessEnv;
  readonly markAlpha: MarkAlpha;
  readonly guard: HoldGuard;
}

/** Out of a cluster, or out of the alpha's role under Sentinel: the server tells which. */
export async function leave(options: LeaveOptions): Promise<Outcome> {
  const { settings, environment, markAlpha, ...common } = options;
  const { discovery } = common;
  const mode = await awaitMode(common);
  // When it is told to end it writes down what is yet to be written, by itself.
  if (mode === "alone")
    return { kind: "done", reason: "this server is alone: it has nothing to hand over" };
  if (mode !== "set") return drain(common);
  const { set, sentinels, sentinelDns, sentinelPort } = settings;
  const nobody = { self: undefined, others: [] };
  const isTold = sentinels !== undefined || sentinelDns !== undefined;
  const handing: HandOverOptions = {
    ...common,
    set,
    sentinels: isTold ? await findSentinels(nobody, settings) : undefined,
    sentinelPort,
    async onPromoted(heir) {
      const peers = await discovery?.find().catch(() => undefined);
      const alpha = peers?.others.find(({ address }) => address && sameAddress(address, heir));
      // The Sentinels see to it as well, a moment later.
      if (alpha) await markAlpha(alpha.name).catch(() => {});
    },
    async isAnyStaying() {
      const peers = await discovery?.find().catch(() => undefined);
      return peers?.self === undefined || peers.others.some(({ pod }) => pod?.isLeaving !== true);
    },
  };
  const left = readLeftBehind(environment);
  return left === undefined ? handOver(handing) : takeBack(handing, left);
}

/** However busy the server is; undefined where none runs, or none lets us in. */
async function awaitMode({
  address,
  connect,
  leftMs,
}: Pick<DrainOptions, "address" | "connect" | "leftMs">): Promise<Mode | undefined> {
  const connections = openConnections(connect);
  try {
    for (;;) {
      try {
        return await readMode(connections, address);
      } catch (thrown) {
        const failure = readFailure(thrown, connect.tls !== undefined);
        if (failure.state === "denied" || failure.refused || leftMs() <= 0) return undefined;
      }
      await pause(lookAgainMs);
    }
  } finally {
    connections.close();
  }
}

/** What a preStop hook prints is lost: it is told to the log of the container's server as well. */
function createDrainLog({
  logLevel,
  logFormat,
}: Pick<ClusterSettings, "logLevel" | "logFormat">): Log {
  const own = createLog(logLevel, logFormat);
  try {
    if (!/^(redis|valkey)-server/.test(readFileSync("/proc/1/comm", "utf8"))) return own;
    return teeLogs(own, createLog(logLevel, "json", openSync("/proc/1/fd/1", "a")));
  } catch {
    return own; // Not in a container, or another user's.
  }
}
