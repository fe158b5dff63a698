/**
 * The configuration of a node's server, for one that tries it out and touches nothing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, RekindleError } from "../errors.ts";
import { drawNodeId } from "../files.ts";
import { assembleConfiguration } from "../redis/configuration.ts";
import type { Credentials } from "../redis/connection.ts";
import type { Server } from "../redis/server.ts";
import {
  type Directive,
  directiveValue,
  quoteArgument,
  readUserConfiguration,
} from "../redis/user-configuration.ts";
import type { Facts } from "./facts.ts";
import { userKey } from "./names.ts";
import type { OwnConfiguration } from "./own-configuration.ts";

export interface TrialOptions {
  /** The node's data folder. */
  readonly dir: string;
  readonly own: OwnConfiguration;
  /** As they are to be. */
  readonly credentials: Credentials;
  readonly server: Server;
}

export interface Trial {
  readonly password: Buffer;
  readonly directives: readonly Directive[];
  /** Throws what Rekindle itself has against the file; the server's words come first. */
  readonly refuse?: () => never;
}

/** @param folder where it goes, as `redis.conf`. */
export function writeTrial(folder: string, options: TrialOptions): Trial {
  const { own, credentials, server } = options;
  const password = Buffer.from(drawNodeId());
  const ours = {
    owned: withPassword(own, credentials),
    credentials,
    server,
    userFile: own.userFile,
  };
  let directives: readonly Directive[] = [];
  let text: string;
  let refuse: Trial["refuse"];
  try {
    directives = readUserConfiguration(own.userFile);
    text = assembleConfiguration({ ...ours, directives });
  } catch (thrown) {
    refuse = () => {
      throw asRefusal(thrown);
    };
    text = assembleConfiguration({ ...ours, directives: [] });
  }
  const lines = [text, ...harmless(folder, options.dir, directives, password)];
  writeFileSync(join(folder, "redis.conf"), lines.join("\n"), { mode: 0o600 });
  return { password, directives, ...(refuse && { refuse }) };
}

/** What Rekindle refuses at a start it refuses here: the same words, and the running server goes on. */
const asRefusal = (thrown: unknown): RekindleError =>
  new RekindleError("refused", messageOf(thrown), {
    cause: thrown,
    ...(thrown instanceof RekindleError && thrown.hint !== undefined && { hint: thrown.hint }),
  });

function withPassword(
  { owned }: OwnConfiguration,
  { user, password }: Credentials,
): ReadonlyMap<string, string> {
  if (password === undefined) return owned;
  const secret = quoteArgument(password);
  const set = new Map([...owned, ["masterauth", secret]]);
  return user === undefined ? set.set("requirepass", secret) : set;
}

/** Our own way in, whatever users the file has. */
export const trialUser = "rekindle-trial";

/** The lines that keep the trial from touching anything, whatever those before them say. */
function harmless(
  folder: string,
  dir: string,
  directives: readonly Directive[],
  password: Buffer,
): readonly string[] {
  const user = `user ${trialUser} reset on >${password} allkeys allcommands`;
  const aclFile = directiveValue(directives, "aclfile");
  const lines = [
    "port 0",
    "tls-port 0",
    "cluster-enabled no",
    `dir ${quoteArgument(folder)}`,
    `unixsocket ${quoteArgument(join(folder, "socket"))}`,
    "unixsocketperm 700",
    "daemonize no",
    "supervised no",
    'pidfile ""',
    'logfile ""',
    "syslog-enabled no",
  ];
  if (!aclFile) return [...lines, user, ""];
  // A server takes its users from one place.
  const path = resolve(dir, Buffer.from(aclFile, "latin1").toString());
  const copy = join(folder, "users.acl");
  try {
    const users = readFileSync(path, "latin1").replace(/\n?$/, "\n");
    writeFileSync(copy, `${users}${user}\n`, { mode: 0o600, encoding: "latin1" });
  } catch {
    return [...lines, `aclfile ${quoteArgument(path)}`, ""]; // The server says what is wrong with it.
  }
  return [...lines, `aclfile ${quoteArgument(copy)}`, ""];
}

/** The settings of `harmless` that are the user's to choose, with what they are without. All of them need a restart. */
const untold: Readonly<Record<string, string>> = {
  unixsocket: "",
  unixsocketperm: "0",
  supervised: "no",
  pidfile: "",
  logfile: "",
  "syslog-enabled": "no",
  aclfile: "",
};

/** @param told by the server that tries it out. */
export function asTheNodeWould(told: Facts, directives: readonly Directive[]): Facts {
  const facts = new Map(told);
  facts.delete(userKey(trialUser));
  for (const [name, byDefault] of Object.entries(untold))
    facts.set(name, directiveValue(directives, name) ?? byDefault);
  return facts;
}
