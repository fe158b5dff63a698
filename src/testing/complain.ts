import { RekindleError } from "../errors.ts";

/** What is wrong and what to change, in the message: a test's report shows nothing else. */
export const complain = (message: string, hint: string, cause?: unknown): RekindleError =>
  new RekindleError("configuration", `${message}; ${hint}`, { cause });
