/**
 * The files that make a server's configuration.
 */
import { resolve } from "node:path";
import {
  type Directive,
  directiveValue,
  readUserConfiguration,
} from "../redis/user-configuration.ts";
import type { OwnConfiguration } from "./own-configuration.ts";

/** The user's redis.conf, what it includes, its ACL file, and the TLS files. */
export function filesOf(dir: string, { userFile, tls }: OwnConfiguration): readonly string[] {
  const directives = readWhatIsThere(userFile);
  const aclFile = directiveValue(directives, "aclfile");
  return [
    ...new Set([
      ...(userFile === undefined ? [] : [userFile]),
      ...directives.map(({ file }) => file),
      ...(aclFile ? [resolve(dir, Buffer.from(aclFile, "latin1").toString())] : []),
      ...(tls ? [tls.cert, tls.key, tls.ca] : []),
    ]),
  ];
}

function readWhatIsThere(userFile: string | undefined): readonly Directive[] {
  try {
    return readUserConfiguration(userFile);
  } catch {
    return []; // Whoever tries the file out says what is wrong with it.
  }
}
