/**
 * One round: what the file says, what the server has, what is to be done about it, and doing it.
 */
import { existsSync } from "node:fs";
import type { Address } from "../address.ts";
import { ownAddress } from "../cluster/drain.ts";
import { isRekindleError, messageOf, RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import { forbidden } from "../redis/configuration.ts";
import type { Connection, Credentials } from "../redis/connection.ts";
import { readTlsAt } from "../redis/secrets.ts";
import type { Server } from "../redis/server.ts";
import { applySettings, applyUsers, type SettingChange } from "./apply.ts";
import type { Around } from "./around.ts";
import { type Access, enter } from "./ask-nodes.ts";
import { compare, type Difference } from "./compare.ts";
import { type Facts, readFacts } from "./facts.ts";
import { findGates } from "./find-gates.ts";
import { openJudge, readTlsFacts } from "./judge.ts";
import type { Memory } from "./memory.ts";
import { onlyAtStart, tlsFiles, userKey, userPrefix } from "./names.ts";
import { createOverlap } from "./overlap.ts";
import { type OwnConfiguration, readOwnConfiguration } from "./own-configuration.ts";
import { type Plan, planReload } from "./plan.ts";
import { rotateSentinel } from "./rotate-sentinel.ts";
import { readLife } from "./server-life.ts";
import { writtenAt } from "./watch-files.ts";

export interface RoundOptions {
  readonly dir: string;
  /** Where the server listens for us. */
  readonly ip: string;
  readonly server: Server;
  /** All that makes the configuration. */
  readonly files: (own: OwnConfiguration) => readonly string[];
  /** As the settings give it now; undefined: that of the server's start. */
  readonly readPassword: () => Buffer | undefined;
  readonly around: Around;
  readonly memory: Memory;
  readonly log: Log;
  readonly enforce: boolean;
  /** How long old passwords are taken after no node uses them any more. */
  readonly passwordOverlapMs: number;
}

export interface Round {
  readonly runId: string;
  readonly plan: Plan;
  readonly address: Address;
  readonly access: Access;
}

export interface Rounds {
  /**
   * @param seenAt when the files were seen to change.
   * @throws RekindleError `refused` for a file that is not valid, `tryAgain` where the server does not take it.
   */
  run(fingerprint: string, seenAt?: number): Promise<Round>;
  /** Plans, and does nothing. */
  plan(): Promise<Round>;
}

const askDeadlineMs = 2_000;

export function openRounds(options: RoundOptions): Rounds {
  const { dir, ip, server, memory, log, enforce } = options;
  const judge = openJudge({ dir, server });
  const findGatesFor = findGates(options.around, createOverlap(options.passwordOverlapMs));
  const sentinelOverlap = createOverlap(options.passwordOverlapMs);

  async function look<T>(
    fingerprint: string,
    act: (seen: Seen, connection: Connection) => Promise<T>,
  ): Promise<T> {
    const own = readOwnConfiguration(dir);
    requireFile(own);
    const credentials = {
      user: own.credentials.user,
      password: options.readPassword() ?? own.credentials.password,
    };
    // First: a file that is not valid is refused whatever the server is doing.
    const verdict = await judge(fingerprint, own, credentials);
    const access: Access = {
      candidates: [credentials, own.credentials],
      tls: own.tls && readTlsAt(own.tls),
      deadlineMs: askDeadlineMs,
    };
    const address = ownAddress(ip, own.port);
    const connection = await enterOwn(address, access);
    try {
      const { runId, startedAt, version } = await readLife(connection);
      requireSame(version, verdict.version);
      const isOlder = writtenAt(options.files(own)) < startedAt;
      const wasWanted = (name: string, value: string | undefined) =>
        memory.wasWanted(runId, name, value) ?? isOlder;
      const running = await readRunning(connection, own, wasWanted);
      const owned = new Set([...own.owned.keys(), ...notCompared]);
      const differences = compare({ running, wanted: verdict.wanted, owned, wasWanted });
      const plan = planReload({
        differences,
        lasting: await verdict.findLasting(differences.filter(isSetting)),
        enforce,
        ...(await findGatesFor(differences, verdict.wanted, credentials, access)),
      });
      const round = { runId, plan, address, access };
      return await act({ round, own, credentials, wanted: verdict.wanted }, connection);
    } finally {
      verdict.end();
      connection.close();
    }
  }

  async function carryOut(
    { round, own, credentials }: Seen,
    connection: Connection,
    seenAt?: number,
  ) {
    const { users, settings, reason } = round.plan;
    if (users.length === 0 && settings.length === 0) return;
    await applyUsers(connection, users);
    const changes = settings.flatMap((one) => changesOf(one, own, credentials));
    await applySettings(connection, changes);
    const tookMs = seenAt && Math.round(performance.now() - seenAt);
    log.info("action", `applied: ${reason}`, { report: "Reloaded", tookMs });
  }

  function remember({ round, wanted }: Seen, running: Facts): void {
    const { users, settings, drift } = round.plan;
    const done = new Set([
      ...[...settings, ...drift].map(({ name }) => name),
      ...users.filter(({ isLast }) => isLast).map(({ name }) => userKey(name)),
    ]);
    const isSettled = (name: string) => done.has(name) || running.get(name) === wanted.get(name);
    memory.keep(round.runId, wanted, isSettled);
  }

  async function withSentinel({ round, own, credentials }: Seen): Promise<Round> {
    if (!own.owned.has("replica-announce-ip")) return round;
    const { around } = options;
    const overlap = sentinelOverlap;
    const why = await rotateSentinel({ around, credentials, access: round.access, overlap });
    if (why === undefined) return round;
    return { ...round, plan: { ...round.plan, waiting: [...round.plan.waiting, why] } };
  }

  return {
    plan: () => look("", async ({ round }) => round),
    run: (fingerprint, seenAt) =>
      look(fingerprint, async (seen, connection) => {
        await carryOut(seen, connection, seenAt);
        remember(seen, await readFacts(connection));
        return withSentinel(seen);
      }),
  };
}

interface Seen {
  readonly round: Round;
  readonly own: OwnConfiguration;
  readonly credentials: Credentials;
  readonly wanted: Facts;
}

async function readRunning(
  connection: Connection,
  own: OwnConfiguration,
  wasWanted: (name: string, value: string) => boolean,
): Promise<Facts> {
  const facts = await readFacts(connection);
  // The server does not tell which files it has read: what we know of it counts.
  const read = readTlsFacts(own).map(
    ([name, value]) => [name, wasWanted(name, value) ? value : "others"] as const,
  );
  return new Map([...facts, ...read]);
}

/** Rekindle gives them, or the set does. */
const notCompared = [...Object.keys(forbidden)].filter(
  (name) => name !== "requirepass" && name !== "masterauth",
);

/** What CONFIG SET may know. */
const isSetting = ({ name }: Difference): boolean =>
  !name.startsWith(userPrefix) && !onlyAtStart.has(name) && name !== tlsFiles;

/** A file that was read anew is set to the name that it has. */
function changesOf(
  { name, wanted = "", running = "" }: Difference,
  { tls }: OwnConfiguration,
  { password }: Credentials,
): readonly SettingChange[] {
  if (name === tlsFiles && tls)
    return [
      ["tls-cert-file", tls.cert],
      ["tls-key-file", tls.key],
      ["tls-ca-cert-file", tls.ca],
    ].map(([name = "", path = ""]) => ({ name, value: path, before: path }));
  const isPassword = name === "requirepass" || name === "masterauth";
  // Its bytes may be no text.
  return [{ name, value: isPassword ? (password ?? wanted) : wanted, before: running }];
}

function requireFile({ userFile }: OwnConfiguration): void {
  if (userFile === undefined || existsSync(userFile)) return;
  throw new RekindleError("tryAgain", `${userFile} is gone; the server keeps what it has`, {
    hint: "bring the file or its ConfigMap back: a server that starts now would not",
  });
}

async function enterOwn(address: Address, access: Access): Promise<Connection> {
  try {
    return await enter(address, access);
  } catch (cause) {
    if (isRekindleError(cause)) throw cause;
    throw new RekindleError("tryAgain", `the own server does not answer: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function requireSame(running: string, tried: string): void {
  if (running === tried) return;
  throw new RekindleError(
    "configuration",
    `the server that runs is version ${running}, and the one at hand is ${tried}: they take different files`,
    { hint: "give the container of the reload the image of the server" },
  );
}
