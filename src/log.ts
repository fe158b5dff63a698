/**
 * One line per event: JSON in a pod, readable on a terminal.
 *
 * Lines are written with `writeSync`, never through `process.stdout`: that stream would make the descriptor
 * non-blocking, redis-server inherits the flag through `execve`, and would then lose log lines.
 */
import { fstatSync, writeSync } from "node:fs";
import { codeOf } from "./errors.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "auto" | "json" | "text";
export type LogFields = Readonly<Record<string, unknown>>;

/** What a line is about: something seen, decided, done or waited for, or the end of the run. */
export type LogEvent = "start" | "observed" | "decided" | "action" | "wait" | "become" | "error";

export interface Log {
  readonly level: LogLevel;
  debug(event: LogEvent, message: string, fields?: LogFields): void;
  info(event: LogEvent, message: string, fields?: LogFields): void;
  warn(event: LogEvent, message: string, fields?: LogFields): void;
  error(event: LogEvent, message: string, fields?: LogFields): void;
}

/**
 * The same log, whose lines with a `report` are told elsewhere too.
 *
 * @param tell gets the report's name, the message, and whether it is a warning or worse.
 */
export function withReports(
  log: Log,
  tell: (report: string, message: string, isWarning: boolean) => void,
): Log {
  return logOf(log.level, (level) => (event, message, fields) => {
    log[level](event, message, fields);
    if (typeof fields?.report === "string")
      tell(fields.report, message, level === "warn" || level === "error");
  });
}

/** Every line to both. */
export function teeLogs(one: Log, other: Log): Log {
  return logOf(one.level, (level) => (...line) => {
    one[level](...line);
    other[level](...line);
  });
}

function logOf(level: LogLevel, at: (level: LogLevel) => Log["info"]): Log {
  return { level, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * @param fd the descriptor to write to: 1, or 2 where standard output carries data.
 */
export function createLog(level: LogLevel, format: LogFormat, fd = 1): Log {
  const readable = format === "text" || (format === "auto" && isTerminal(fd));
  const render = readable ? renderText : renderJson;
  return logOf(level, (lineLevel) => (event, message, fields) => {
    if (levels.indexOf(lineLevel) < levels.indexOf(level)) return;
    writeAll(fd, `${render(new Date(), lineLevel, event, message, fields ?? {})}\n`);
  });
}

/** A character device, as near as a boot needs to know; loading node:tty for the last word costs 2 ms. */
function isTerminal(fd: number): boolean {
  return fstatSync(fd).isCharacterDevice();
}

function renderJson(
  time: Date,
  level: LogLevel,
  event: LogEvent,
  message: string,
  fields: LogFields,
): string {
  return JSON.stringify({ time: time.toISOString(), level, event, message, ...fields });
}

const colours: Record<LogLevel, string> = {
  debug: "\x1b[2m",
  info: "",
  warn: "\x1b[33m",
  error: "\x1b[31m",
};

function renderText(
  time: Date,
  level: LogLevel,
  event: LogEvent,
  message: string,
  fields: LogFields,
): string {
  const coloured = process.env.NO_COLOR ? "" : colours[level];
  const details = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
  const line = `${time.toISOString().slice(11, 23)} ${event.padEnd(8)} ${message}`;
  return `${coloured}${details === "" ? line : `${line}  ${details}`}${coloured === "" ? "" : "\x1b[0m"}`;
}

/** Writes the whole text even where the descriptor is a full, non-blocking pipe. */
function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (thrown) {
      if (codeOf(thrown) === "EPIPE") return; // Nobody reads any more; that must not stop a boot.
      if (codeOf(thrown) !== "EAGAIN") throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
