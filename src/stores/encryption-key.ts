/**
 * The key of the encryption on our side, from a file that nobody else can read.
 */
import { statSync } from "node:fs";
import { RekindleError } from "../errors.ts";
import { readGiven } from "../files.ts";

const hint = "make one: (umask 077; openssl rand -hex 32 >key)";

/**
 * @returns 32 bytes.
 * @throws RekindleError "configuration" for a file that others can read, or that holds anything else.
 */
export function readEncryptionKey(path: string): Buffer {
  const text = readGiven(path, "the encryption key").toString("latin1").trim();
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o007) !== 0)
    throw new RekindleError(
      "configuration",
      `everybody can read the encryption key ${path} (mode ${mode.toString(8)})`,
      { hint: `let only this user read it: chmod 600 ${path}, or defaultMode: 0440 in a pod` },
    );
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, "hex");
  const key = Buffer.from(text, "base64");
  if (key.length === 32 && /^[A-Za-z0-9+/]{43}=$/.test(text)) return key;
  throw new RekindleError(
    "configuration",
    `the encryption key ${path} is not 32 bytes in hex or base64`,
    { hint },
  );
}
