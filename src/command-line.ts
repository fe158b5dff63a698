/**
 * Every verb as a yargs command: help, and what is wrong with a command line.
 */
import yargs, { type Argv } from "yargs";
import * as backup from "./commands/backup.ts";
import * as backups from "./commands/backups.ts";
import * as cluster from "./commands/cluster.ts";
import * as down from "./commands/down.ts";
import * as drain from "./commands/drain.ts";
import * as reload from "./commands/reload.ts";
import * as replication from "./commands/replication.ts";
import * as restore from "./commands/restore.ts";
import * as sentinel from "./commands/sentinel.ts";
import * as sidecar from "./commands/sidecar.ts";
import * as standalone from "./commands/standalone.ts";
import * as status from "./commands/status.ts";
import * as tend from "./commands/tend.ts";
import * as up from "./commands/up.ts";
import { messageOf, RekindleError } from "./errors.ts";
import { type Described, environmentOf, type Flags, flagOf } from "./settings.ts";
import { version } from "./version.ts";

interface Verb {
  readonly name: string;
  readonly describe: string;
  readonly descriptions: Described;
  run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number>;
}

const verbs: readonly Verb[] = [
  {
    name: "cluster",
    describe: "decide what this node of a Redis Cluster must be, and become it",
    ...cluster,
  },
  {
    name: "replication",
    describe: "decide whether this node is the alpha or a beta under Sentinel, and become it",
    ...replication,
  },
  {
    name: "standalone",
    describe: "check the data folder of one persistent Redis, mend or restore it, and become it",
    ...standalone,
  },
  {
    name: "sentinel",
    describe: "write or repair sentinel.conf, wait for an alpha that answers, and become Sentinel",
    ...sentinel,
  },
  {
    name: "drain",
    describe: "hand this node's slots over and have the others forget it: a pod's preStop hook",
    ...drain,
  },
  {
    name: "sidecar",
    describe:
      "stay beside the server: mend what no starting node would, take changes of its redis.conf, take snapshots, serve metrics",
    ...sidecar,
  },
  {
    name: "backup",
    describe: "take a snapshot of a cluster, a set or one server to a store, or go on taking them",
    ...backup,
  },
  {
    name: "reload",
    describe: "have the server that runs here take its changed redis.conf",
    ...reload,
  },
  {
    name: "tend",
    describe:
      "label the pods of a set with their roles, have Sentinels forget who is gone; Sentinel runs it",
    ...tend,
  },
  {
    name: "restore",
    describe: "a snapshot into a folder, to start a server with",
    ...restore,
  },
  {
    name: "backups",
    describe: "list the snapshots in a store, verify them, take some away",
    ...backups,
  },
  {
    name: "status",
    describe: "show a cluster: shards, lag, and what is wrong in words",
    ...status,
  },
  {
    name: "up",
    describe: "start a local cluster, or a set under Sentinel, of real servers",
    ...up,
  },
  { name: "down", describe: "end a local cluster or set", ...down },
];

/** @returns the exit code of the verb that ran. */
export async function runCommandLine(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  let exitCode = 0;
  let isRunning = false;
  const parser = yargs([...argv])
    .scriptName("rekindle")
    .usage("$0 <command>\n\nThe self-healing entrypoint for Redis and Valkey.")
    .locale("en")
    .version(version)
    .help()
    .alias("help", "h")
    .wrap(Math.min(process.stdout.columns ?? 100, 120))
    .strict()
    .demandCommand(1, "a command is missing")
    .recommendCommands()
    .exitProcess(false)
    .parserConfiguration({
      "camel-case-expansion": false,
      "boolean-negation": false,
      "parse-numbers": false,
      "duplicate-arguments-array": false,
    })
    .fail(false);
  for (const verb of verbs) {
    parser.command(
      verb.name,
      verb.describe,
      (command) => describeFlags(command, verb.descriptions),
      async (parsed) => {
        const flags = Object.fromEntries(
          Object.keys(verb.descriptions).map((name) => [
            name,
            parsed[flagOf(name)] as string | boolean | undefined,
          ]),
        );
        isRunning = true;
        exitCode = await verb.run(flags, environment);
      },
    );
  }
  try {
    await parser.parseAsync();
  } catch (thrown) {
    throw isRunning ? thrown : asUsageError(thrown);
  }
  return exitCode;
}

function describeFlags(command: Argv, descriptions: Described): Argv {
  for (const [name, setting] of Object.entries(descriptions)) {
    const shown = setting.isSwitch ? undefined : (setting.defaultText ?? setting.fallback);
    const choices = setting.choices ? ` (${setting.choices.join(", ")})` : "";
    const byDefault = shown === undefined ? "" : ` [default: ${shown}]`;
    const variables = [environmentOf(name), ...(setting.alsoEnvironment ?? [])].join(", ");
    command.option(flagOf(name), {
      type: setting.isSwitch ? "boolean" : "string",
      requiresArg: !setting.isSwitch,
      describe: `${setting.describe}${choices}${byDefault} [${variables}]`,
    });
  }
  return command
    .strict()
    .epilogue(
      "A flag wins over its variable. Secrets come from files or REKINDLE_PASSWORD, never from a flag.",
    );
}

/** What is thrown before a verb runs is yargs' complaint about the command line. */
function asUsageError(thrown: unknown): RekindleError {
  const message = messageOf(thrown);
  return new RekindleError("usage", message.charAt(0).toLowerCase() + message.slice(1), {
    hint: "see rekindle --help",
    cause: thrown,
  });
}
