/**
 * The exercise of `rekindle up --topology sentinel --exercise`: the alpha is killed and loses its disk, the Sentinels elect
 * another, and the old one comes back as a beta.
 *
 * A client writes before and reads back after: what was acknowledged and copied must be there.
 */
import { Redis } from "ioredis";
import type { SetStatus } from "../status/describe-set.ts";
import { renderSet } from "../status/render-set.ts";
import { openTerminal } from "../status/terminal.ts";
import { checkKeys, commandTimeout, startClock, withClient, writeKeys } from "./exercise.ts";
import { waitUntil } from "./local-servers.ts";
import type { LocalSet } from "./local-set.ts";

/** @returns 0 where the set became whole and every key is there, else 1. */
export async function runSetExercise(
  set: LocalSet,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  const terminal = openTerminal(process.stdout, environment);
  const victim = (await set.status()).alpha;
  if (victim === undefined) throw new Error("there is no alpha to kill");
  const betas = set.nodes.length - 1;
  await withClient(connectTo(set), (client) => writeKeys(client, (one) => [one], betas));

  terminal.write(`\nkilling ${victim.name} (kill -9), the alpha, and emptying its folder\n`);
  const mark = startClock(terminal);
  await set.killNode(victim.name);
  mark("killed");
  const elected = await waitUntil("there is no other alpha", set.status, isElected, { signal });
  mark(`the Sentinels have elected ${elected.alpha?.name}`);
  await set.startNode(victim.name, { emptied: true });
  mark(`${victim.name} started again, with an empty folder`);
  const isBack = ({ betas }: SetStatus) =>
    betas.some(({ name, state }) => name === victim.name && state === "ok");
  await waitUntil(`${victim.name} is no beta`, set.status, isBack, { signal });
  mark(`${victim.name} is a beta in sync`);
  const after = await set.waitUntilWhole({ signal });
  mark("whole: every beta in sync, all Sentinels agree");

  terminal.write(`\n${renderSet(after, terminal)}\n\n`);
  return withClient(connectTo(set), (client) => checkKeys(client, terminal));
}

/** Somebody takes writes again. */
const isElected = ({ alpha }: SetStatus): boolean => alpha !== undefined;

const connectTo = ({ clientOptions }: LocalSet): Redis =>
  new Redis({ ...clientOptions, commandTimeout });
