/**
 * What a server says of its own configuration, as names and values: two servers are compared by it, so that nothing of ours has to
 * know units, enums or defaults.
 */
import { createHash } from "node:crypto";
import { RekindleError } from "../errors.ts";
import type { Connection } from "../redis/connection.ts";
import { type Reply, ReplyError } from "../redis/resp.ts";
import { userKey } from "./names.ts";

/**
 * Settings by their names, `user NAME` with its rules, `loadmodule` with the modules that are loaded, and `rename-command` with a
 * digest of the commands' names.
 */
export type Facts = ReadonlyMap<string, string>;

/** @throws RekindleError for a server whose CONFIG is hidden; an Error where it does not answer. */
export async function readFacts(connection: Pick<Connection, "send">): Promise<Facts> {
  const [settings, users, modules, names] = await connection.send([
    ["CONFIG", "GET", "*"],
    ["ACL", "LIST"],
    ["MODULE", "LIST"],
    ["COMMAND", "LIST"],
  ]);
  if (settings instanceof ReplyError || !Array.isArray(settings)) {
    throw new RekindleError("configuration", `the server does not tell its settings: ${settings}`, {
      hint: "do not rename CONFIG, and let Rekindle's user run it",
    });
  }
  // Before 7.0 names come with all that is known of each command.
  const commands = names instanceof ReplyError ? (await connection.send([["COMMAND"]]))[0] : names;
  return new Map([
    ...parseSettings(settings),
    ...parseUsers(users),
    ["loadmodule", parseModules(modules)],
    ["rename-command", digestNames(commands)],
  ]);
}

function parseSettings(reply: readonly Reply[]): readonly (readonly [string, string])[] {
  const all = new Map<string, string>();
  for (let at = 0; at + 1 < reply.length; at += 2)
    all.set(String(reply[at]), String(reply[at + 1]));
  return [...all].filter(([name]) => !isSecondName(name, all));
}

/** Many settings have two names. */
function isSecondName(name: string, all: ReadonlyMap<string, string>): boolean {
  const first = name
    .replace("slave", "replica")
    .replace("ziplist", "listpack")
    .replace("primary", "master");
  return first !== name && all.has(first);
}

/** From ACL LIST. */
export function parseUsers(reply: Reply | undefined): readonly (readonly [string, string])[] {
  if (!Array.isArray(reply)) return [];
  return reply.map((line) => {
    const [, name = "", rules = ""] = /^user (\S+) (.*)$/.exec(String(line)) ?? [];
    // Said of a user that was ever reset, and so by default (redis.io, ACL SETUSER).
    return [userKey(name), rules.replace(" sanitize-payload", "")];
  });
}

function parseModules(reply: Reply | undefined): string {
  if (!Array.isArray(reply)) return "";
  const names = reply.map((one) =>
    Array.isArray(one) ? String(one[one.indexOf("name") + 1]) : "",
  );
  return names.sort().join(" ");
}

function digestNames(reply: Reply | undefined): string {
  if (!Array.isArray(reply)) return "";
  const names = reply.map((one) => String(Array.isArray(one) ? one[0] : one)).sort();
  return `${names.length} commands, ${digest(names.join(" ")).slice(0, 8)}`;
}

export const digest = (text: string | Buffer): string =>
  createHash("sha256").update(text).digest("hex");
