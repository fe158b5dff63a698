/**
 * Changes a running server: users one by one, settings all at once or not at all.
 */
import { messageOf, RekindleError } from "../errors.ts";
import type { Connection } from "../redis/connection.ts";
import { type Argument, type Command, ReplyError } from "../redis/resp.ts";
import type { UserChange } from "./plan.ts";

type Sender = Pick<Connection, "send">;

export interface SettingChange {
  readonly name: string;
  readonly value: Argument;
  /** What it is set back to where others cannot be changed. */
  readonly before: Argument;
}

/** @throws RekindleError `tryAgain` with the server's words; what was changed before stays. */
export async function applyUsers(connection: Sender, users: readonly UserChange[]): Promise<void> {
  for (const { name, rules } of users) {
    const command =
      rules === undefined
        ? ["ACL", "DELUSER", name]
        : ["ACL", "SETUSER", name, "reset", ...rules.split(" ")];
    await requireOk(connection, command, `user ${name}`);
  }
}

/**
 * One CONFIG SET for all, which is atomic; before Redis 7.0 it takes one setting at a time, and what was set is set back.
 *
 * @throws RekindleError `tryAgain` with the server's words: then every setting is as it was.
 */
export async function applySettings(
  connection: Sender,
  changes: readonly SettingChange[],
): Promise<void> {
  if (changes.length === 0) return;
  const all = changes.flatMap(({ name, value }) => [name, value]);
  const [reply] = await connection.send([["CONFIG", "SET", ...all]]);
  if (!(reply instanceof ReplyError)) return;
  if (changes.length > 1 && /wrong number of arguments/i.test(reply.message))
    return applyOneByOne(connection, changes);
  throw refusal(names(changes), reply);
}

async function applyOneByOne(connection: Sender, changes: readonly SettingChange[]): Promise<void> {
  const done: SettingChange[] = [];
  for (const change of changes) {
    try {
      await requireOk(connection, ["CONFIG", "SET", change.name, change.value], change.name);
      done.push(change);
    } catch (thrown) {
      for (const { name, before } of done.reverse())
        await requireOk(connection, ["CONFIG", "SET", name, before], `${name} back`);
      throw thrown;
    }
  }
}

async function requireOk(connection: Sender, command: Command, what: string): Promise<void> {
  const [reply] = await connection.send([command]);
  if (reply instanceof ReplyError) throw refusal(what, reply);
}

const refusal = (what: string, reply: ReplyError): RekindleError =>
  new RekindleError("tryAgain", `the running server does not take ${what}: ${messageOf(reply)}`, {
    hint: "it keeps what it has; look what it says of its memory, its files and its limits",
    cause: reply,
  });

const names = (changes: readonly SettingChange[]): string =>
  changes.map(({ name }) => name).join(", ");

/**
 * Which of these settings a server changes while it runs, found out on one that nobody uses.
 *
 * @param trial has these values already.
 * @returns for each that it does not change, why not.
 */
export async function findLasting(
  trial: Sender,
  settings: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const entries = [...settings];
  if (entries.length === 0) return new Map();
  const replies = await trial.send(entries.map((pair): Command => ["CONFIG", "SET", ...pair]));
  return new Map(
    entries.flatMap(([name], index) => {
      const reply = replies[index];
      return reply instanceof ReplyError ? [[name, reply.message]] : [];
    }),
  );
}
