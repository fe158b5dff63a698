/**
 * How a setting is described once and read from a flag, the environment or its default.
 *
 * A verb's settings are a record of descriptions; `readSettings` turns flags and environment into one frozen value.
 * The environment is read by name here and not through yargs' `env(prefix)`, which would take every
 * `REKINDLE_…` variable that Kubernetes sets for a Service of that name.
 */
import { RekindleError } from "./errors.ts";

export interface Setting<T> {
  readonly describe: string;
  /** Shown in the help and the README where no value is given. */
  readonly defaultText?: string;
  /** What is read where neither flag nor environment gives a value; without it, `undefined`. */
  readonly fallback?: string;
  /** Further environment variables that are read after our own. */
  readonly alsoEnvironment?: readonly string[];
  readonly choices?: readonly string[];
  /** True for a flag that takes no value. */
  readonly isSwitch?: boolean;
  /** Throws a plain `Error` that says what is expected. */
  readonly read: (text: string) => T;
}

// biome-ignore lint/suspicious/noExplicitAny: the record's value types are what `Settings` infers.
export type Described = Readonly<Record<string, Setting<any>>>;

/** What a command line gave, by the settings' own names. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** The values of a record of descriptions. */
export type Settings<D extends Described> = {
  readonly [K in keyof D]: D[K] extends Setting<infer T> ? T : never;
};

type Details = Omit<Setting<unknown>, "read" | "describe" | "isSwitch">;

export const text = (
  describe: string,
  details: Details & { fallback: string },
): Setting<string> => ({
  describe,
  ...details,
  read: (value) => value,
});

export const optionalText = (
  describe: string,
  details: Details = {},
): Setting<string | undefined> => ({
  describe,
  ...details,
  read: (value) => value,
});

export const choice = <T extends string>(
  describe: string,
  choices: readonly T[],
  fallback: T,
): Setting<T> => ({ describe, choices, fallback, read: (value) => oneOf(choices, value) });

export const optionalChoice = <T extends string>(
  describe: string,
  choices: readonly T[],
  details: Details = {},
): Setting<T | undefined> => ({
  describe,
  choices,
  ...details,
  read: (value) => oneOf(choices, value),
});

export const count = (
  describe: string,
  range: { from: number; to: number },
  details: Details & { fallback: string },
): Setting<number> => ({ describe, ...details, read: (value) => wholeNumber(value, range) });

export const optionalCount = (
  describe: string,
  range: { from: number; to: number },
  details: Details = {},
): Setting<number | undefined> => ({
  describe,
  ...details,
  read: (value) => wholeNumber(value, range),
});

export const duration = (
  describe: string,
  rangeMs: { from: number; to: number },
  fallback: string,
): Setting<number> => ({ describe, fallback, read: (value) => milliseconds(value, rangeMs) });

export const list = (
  describe: string,
  details: Details = {},
): Setting<readonly string[] | undefined> => ({
  describe,
  ...details,
  read: (value) => value.split(/[\s,]+/).filter((item) => item !== ""),
});

export const onOff = (describe: string): Setting<boolean> => ({
  describe,
  fallback: "false",
  isSwitch: true,
  read: (value) => oneOf(["true", "false"], value) === "true",
});

/** `nodeTimeout` → `node-timeout`. */
export const flagOf = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** `nodeTimeout` → `REKINDLE_NODE_TIMEOUT`. */
export const environmentOf = (name: string): string =>
  `REKINDLE_${flagOf(name).replaceAll("-", "_").toUpperCase()}`;

/**
 * The values of all described settings: a flag wins over the environment, the environment over the default.
 *
 * @param flags what the command line gave, by the settings' own names.
 * @throws RekindleError `usage` for a bad flag, `configuration` for a bad variable, each named.
 */
export function readSettings<D extends Described>(
  described: D,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): Settings<D> {
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(described)) {
    const given = givenValue(name, setting, flags, environment);
    const value = given?.value ?? setting.fallback;
    if (value === undefined) continue;
    try {
      values[name] = setting.read(value);
    } catch (cause) {
      const from = given?.from ?? `the default of --${flagOf(name)}`;
      throw new RekindleError(
        from.startsWith("--") ? "usage" : "configuration",
        `${from} is "${value}", ${(cause as Error).message}`,
        {
          hint: `change it, or leave it out for ${setting.defaultText ?? setting.fallback ?? "none"}`,
          cause,
        },
      );
    }
  }
  return Object.freeze(values) as Settings<D>;
}

function givenValue(
  name: string,
  setting: Setting<unknown>,
  flags: Flags,
  environment: NodeJS.ProcessEnv,
): { value: string; from: string } | undefined {
  const flag = flags[name];
  if (flag !== undefined) return { value: String(flag), from: `--${flagOf(name)}` };
  for (const variable of [environmentOf(name), ...(setting.alsoEnvironment ?? [])]) {
    const value = environment[variable];
    // Kubernetes sets NAME_PORT=tcp://… in every pod for a Service called NAME; that is not meant for us.
    if (value === undefined || value === "" || /^(tcp|udp|sctp):\/\//.test(value)) continue;
    return { value, from: variable };
  }
  return undefined;
}

function oneOf<T extends string>(choices: readonly T[], value: string): T {
  const found = choices.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(`expected ${choices.join(" or ")}`);
  return found;
}

function wholeNumber(value: string, range: { from: number; to: number }): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= range.from && number <= range.to)) {
    throw new Error(`expected a whole number from ${range.from} to ${range.to}`);
  }
  return number;
}

const unitsMs: Readonly<Record<string, number>> = {
  "": 1,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

function milliseconds(value: string, rangeMs: { from: number; to: number }): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(value);
  const number = match ? Number(match[1]) * (unitsMs[match[2] ?? ""] ?? Number.NaN) : Number.NaN;
  if (!(number >= rangeMs.from && number <= rangeMs.to)) {
    throw new Error(
      `expected a time like 500ms, 5s or 2m, from ${rangeMs.from} to ${rangeMs.to} milliseconds`,
    );
  }
  return Math.round(number);
}
