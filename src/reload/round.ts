/**
 * One round: what the file says, what the server has, what is to be done about it, and doing it.
 */
import { existsSync } from "node:fs";
import type { Address } from "../address.ts";
import { ownAddress } from "../cluster/drain.ts";
import { codeOf, isRekindleError, messageOf, RekindleError } from "../errors.ts";
import type { Log } from "../log.ts";
import { forbidden } from "../redis/configuration.ts";
import { type Connection, type Credentials, isNetworkCode } from "../redis/connection.ts";
import { readTlsAt } from "../redis/secrets.ts";
import type { Server } from "../redis/server.ts";
import { applySettings, applyUsers, type SettingChange } from "./apply.ts";
import type { Around } from "./around.ts";
import { type Access, enter } from "./ask-nodes.ts";
import { compare, type Difference } from "./compare.ts";
import { type Facts, readFacts } from "./facts.ts";
import { findGates } from "./find-gates.ts";
import { twoSteps } from "./gates.ts";
import { openJudge, readTlsFacts, type Verdict } from "./judge.ts";
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
  const { dir, ip, server, around, memory, log, enforce } = options;
  const judge = openJudge({ dir, server });
  const sentinelOverlap = createOverlap(options.passwordOverlapMs);
  const findGatesFor = findGates(around, createOverlap(options.passwordOverlapMs));

  async function look(own: OwnConfiguration, verdict: Verdict, seen: Entry): Promise<Seen> {
    const { credentials, access, address, connection } = seen;
    const { runId, startedAt, version } = await readLife(connection);
    requireSame(version, verdict.version);
    const isOlder = writtenAt(options.files(own)) < startedAt;
    const wasWanted = (name: string, value: string | undefined) =>
      memory.wasWanted(runId, name, value) ?? isOlder;
    const running = await readRunning(connection, own, wasWanted);
    const { wanted } = verdict;
    const owned = new Set([...own.owned.keys(), ...notCompared]);
    const differences = compare({ running, wanted, owned, wasWanted });
    const plan = planReload({
      differences,
      lasting: await verdict.findLasting(differences.filter(isSetting)),
      enforce,
      ...(await findGatesFor(differences, wanted, credentials, access)),
    });
    return { ...seen, own, running, wanted, round: { runId, plan, address, access } };
  }

  /** @param act is left to do something about it, while the connection is open. */
  async function run(fingerprint: string, act: (seen: Seen) => Promise<Round>): Promise<Round> {
    const own = readOwnConfiguration(dir);
    requireFile(own);
    const { user, password: before } = own.credentials;
    const credentials = { user, password: options.readPassword() ?? before };
    // First: a file that is not valid is refused whatever the server is doing.
    const verdict = await judge(fingerprint, own, credentials);
    try {
      const access: Access = {
        candidates: [credentials, own.credentials],
        tls: own.tls && readTlsAt(own.tls),
        deadlineMs: askDeadlineMs,
      };
      const address = ownAddress(ip, own.port);
      const connection = await enterOwn(address, access);
      try {
        return await act(await look(own, verdict, { credentials, access, address, connection }));
      } finally {
        connection.close();
      }
    } finally {
      verdict.end();
    }
  }

  async function withSentinel({ round, own, credentials, access }: Seen): Promise<Round> {
    if (!own.owned.has("replica-announce-ip")) return round;
    const why = await rotateSentinel({ around, credentials, access, overlap: sentinelOverlap });
    if (why === undefined) return round;
    return { ...round, plan: { ...round.plan, waiting: [...round.plan.waiting, why] } };
  }

  return {
    plan: () => run("", async ({ round }) => round),
    run: (fingerprint, seenAt) =>
      run(fingerprint, async (seen) => {
        const after = await carryOut(seen, log, seenAt);
        memory.keep(seen.round.runId, seen.wanted, settledIn(seen, after));
        return withSentinel(seen);
      }),
  };
}

/** @returns what the server says of itself afterwards. */
async function carryOut(
  { round, own, credentials, connection, running }: Seen,
  log: Log,
  seenAt: number | undefined,
): Promise<Facts> {
  const { users, settings, reason } = round.plan;
  if (users.length === 0 && settings.length === 0) return running;
  await applyUsers(connection, users);
  await applySettings(
    connection,
    settings.flatMap((one) => changesOf(one, own, credentials)),
  );
  const tookMs = seenAt && Math.round(performance.now() - seenAt);
  log.info("action", `applied: ${reason}`, { report: "Reloaded", tookMs });
  return readRunning(connection, own, () => true);
}

/** What is as the file wants it by now, or left on purpose. */
function settledIn({ round, wanted }: Seen, after: Facts): (name: string) => boolean {
  const { users, settings, drift } = round.plan;
  const done = new Set([
    ...[...settings, ...drift].map(({ name }) => name),
    ...users.filter(({ isLast }) => isLast).map(({ name }) => userKey(name)),
  ]);
  return (name) => done.has(name) || after.get(name) === wanted.get(name);
}

interface Entry {
  readonly credentials: Credentials;
  readonly access: Access;
  readonly address: Address;
  readonly connection: Connection;
}

interface Seen extends Entry {
  readonly own: OwnConfiguration;
  readonly round: Round;
  readonly running: Facts;
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
    const isAboutTls = access.tls !== undefined && !isNetworkCode(codeOf(cause));
    throw new RekindleError("tryAgain", `the own server does not answer: ${messageOf(cause)}`, {
      ...(isAboutTls && { hint: twoSteps }),
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
