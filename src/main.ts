/**
 * The command line: one command per verb, nothing else.
 *
 * A pod's boot takes a short cut. yargs costs as much CPU time to load as Node's whole start, and a pod has a tenth of a
 * core: plain, valid flags are read here, from the same descriptions. Whatever is not plain goes to yargs, which knows how
 * to help.
 */
import { codeOf, exitCodes, isRekindleError, messageOf } from "./errors.ts";
import { loadTools } from "./load-tools.ts";
import { createLog, type LogFormat } from "./log.ts";
import { type Described, type Flags, flagOf } from "./settings.ts";

interface Verb {
  readonly descriptions: Described;
  run(flags: Flags, environment: NodeJS.ProcessEnv): Promise<number>;
}

/** The verbs that start in pods, or are typed there. */
const bootVerbs: Readonly<Record<string, () => Promise<Verb>>> = {
  cluster: () => import("./commands/cluster.ts"),
  replication: () => import("./commands/replication.ts"),
  standalone: () => import("./commands/standalone.ts"),
  sentinel: () => import("./commands/sentinel.ts"),
  drain: () => import("./commands/drain.ts"),
  tend: () => import("./commands/tend.ts"),
  status: () => import("./commands/status.ts"),
  sidecar: () => import("./commands/sidecar.ts"),
  backup: () => import("./commands/backup.ts"),
  reload: () => import("./commands/reload.ts"),
};

async function main(argv: readonly string[]): Promise<number> {
  const [name = "", ...rest] = argv;
  const verb = await bootVerbs[name]?.();
  const flags = verb && readPlainFlags(verb.descriptions, rest);
  if (verb && flags) return verb.run(flags, process.env);
  const { runCommandLine } = await loadTools();
  return runCommandLine(argv, process.env);
}

/**
 * `--flag value` and `--flag=value` of known flags, each once; undefined where anything needs explaining: an unknown flag, a
 * missing value, a call for help. Node's own parser would do, and costs a boot three milliseconds.
 */
function readPlainFlags(descriptions: Described, args: readonly string[]): Flags | undefined {
  const names = new Map(Object.keys(descriptions).map((name) => [`--${flagOf(name)}`, name]));
  const flags: Record<string, string | boolean> = {};
  for (let index = 0; index < args.length; index++) {
    const [, flag = "", inline] = /^([^=]*)(?:=(.*))?$/s.exec(args[index] ?? "") ?? [];
    const name = names.get(flag);
    if (name === undefined || name in flags) return undefined;
    const isSwitch = descriptions[name]?.isSwitch === true;
    const value = isSwitch ? (inline === undefined ? true : undefined) : (inline ?? args[++index]);
    if (value === undefined || (inline === undefined && value !== true && value.startsWith("-")))
      return undefined;
    flags[name] = value;
  }
  return flags;
}

/** The error on one line, as the log writes it; a stack only for those who ask for it. */
function report(thrown: unknown, argv: readonly string[]): number {
  const said = (flag: string, variable: string) =>
    argv.find((one) => one.startsWith(`--${flag}=`))?.split("=")[1] ??
    argv[argv.indexOf(`--${flag}`) + 1 || argv.length] ??
    process.env[variable];
  const format = said("log-format", "REKINDLE_LOG_FORMAT");
  const log = createLog(
    "error",
    format === "json" || format === "text" ? format : ("auto" satisfies LogFormat),
    2,
  );
  const isExpected = isRekindleError(thrown);
  const wantsStack = said("log-level", "REKINDLE_LOG_LEVEL") === "debug" || !isExpected;
  const exit = isExpected ? thrown.exitCode : exitCodes.defect;
  log.error("error", messageOf(thrown), {
    hint: isExpected
      ? thrown.hint
      : "this is a defect of Rekindle: please report it with this line",
    exit,
    code: isExpected ? undefined : codeOf(thrown),
    stack: wantsStack && thrown instanceof Error ? thrown.stack : undefined,
  });
  return exit;
}

const argv = process.argv.slice(2);
main(argv).then(
  (exitCode) => process.exit(exitCode),
  (thrown: unknown) => process.exit(report(thrown, argv)),
);
