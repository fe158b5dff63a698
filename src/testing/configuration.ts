/**
 * The redis.conf of a test's server, and what a caller may not put into it.
 */

import type { Credentials } from "../redis/connection.ts";
import { quoteArgument } from "../redis/user-configuration.ts";
import { complain } from "./complain.ts";

export type Directives = Readonly<Record<string, string>>;

/** What a killed server acknowledged is there again when it starts: that is what disks are for. */
const defaults: Directives = {
  save: '""',
  appendonly: "yes",
  "repl-diskless-sync": "yes",
  "repl-diskless-sync-delay": "0",
};

/** Ours to decide, since the rest rests on it. */
const owned = [
  ...[
    "port",
    "bind",
    "dir",
    "daemonize",
    "include",
    "protected-mode",
    "tls-port",
    "aclfile",
    "user",
  ],
  ...["requirepass", "masterauth", "masteruser", "replicaof", "slaveof"],
];

/** @throws Error naming a directive that is not the caller's. */
export function checkDirectives(config: Directives): void {
  for (const [name, value] of Object.entries(config)) {
    const lower = name.toLowerCase();
    const isOwned =
      owned.includes(lower) ||
      /^(cluster-(enabled|config|node-timeout|port|announce|preferred)|replica-announce)/.test(
        lower,
      );
    if (isOwned)
      throw complain(
        `withConfig() cannot set ${name}`,
        "leave it out: addresses, passwords and roles are given by the other methods",
      );
    if (!/^[a-z][a-z0-9-]*$/i.test(name) || /[\r\n]/.test(value))
      throw complain(
        `withConfig(): "${name}" is no directive of redis.conf`,
        "give each as a name and one line of text",
      );
  }
}

export const renderAccess = ({ password }: Credentials): Directives =>
  password === undefined
    ? {}
    : { requirepass: quoteArgument(password), masterauth: quoteArgument(password) };

/** The caller's directives win over the defaults, ours over the caller's. */
export const renderServer = (own: Directives, config: Directives): string =>
  renderLines({ ...defaults, ...config, ...own });

export const renderLines = (directives: Directives): string =>
  Object.entries(directives)
    .map(([name, value]) => `${name} ${value}\n`)
    .join("");
