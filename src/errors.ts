/**
 * The one error that a person is meant to read: what is wrong, with what, and what to change.
 *
 * Anything else that is thrown is a defect of Rekindle and exits with 70.
 */

/** Exit codes are part of the interface (sysexits.h; 126 to 128 as a shell means them). */
export const exitCodes = {
  done: 0,
  usage: 64,
  refused: 65,
  defect: 70,
  tryAgain: 75,
  configuration: 78,
  serverNotUsable: 126,
  serverNotFound: 127,
} as const;

export type ExitReason = keyof typeof exitCodes;

export interface ErrorOptions {
  /** One imperative sentence that an operator can follow at three in the morning. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class RekindleError extends Error {
  readonly reason: ExitReason;
  readonly hint: string | undefined;

  constructor(reason: ExitReason, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "RekindleError";
    this.reason = reason;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return exitCodes[this.reason];
  }
}

/** Told by its name: the tools are a bundle of their own, with a class of their own. */
export function isRekindleError(thrown: unknown): thrown is RekindleError {
  return thrown instanceof Error && thrown.name === "RekindleError";
}

/** What is wrong and what to change, on one line. */
export const explain = ({ message, hint }: RekindleError): string =>
  hint === undefined ? message : `${message}; ${hint}`;

/** The message of anything that was thrown, on one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return text.replace(/\s*\n\s*/g, " ");
}

/** `code` of a system error (`ECONNREFUSED`, …), where there is one. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
