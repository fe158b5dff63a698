/**
 * Names of stored files: relative, of plain characters, and none leads out of the store.
 */
import { RekindleError } from "../errors.ts";

const part = "[A-Za-z0-9_=+-][A-Za-z0-9_.=+-]*";
const namePattern = new RegExp(`^${part}(?:/${part})*$`);

/** No part begins with a dot: that is how temporary files do. */
export const isName = (name: string): boolean => name.length <= 800 && namePattern.test(name);

/** @throws RekindleError "refused" for what could be no file of ours, wherever it was read. */
export function checkName(name: string): void {
  if (isName(name)) return;
  throw new RekindleError("refused", `${JSON.stringify(name)} is no name for a stored file`, {
    hint: "choose another snapshot: this one's manifest is damaged or not ours",
  });
}
