/**
 * Reads the password and the TLS files. Nothing here is ever logged.
 */
import { resolve } from "node:path";
import { RekindleError } from "../errors.ts";
import { readGiven } from "../files.ts";
import type { Credentials, TlsFiles } from "./connection.ts";

export interface SecretSettings {
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsCa: string | undefined;
}

/**
 * The password's bytes as they are, less one newline at a file's end.
 *
 * @throws RekindleError where it holds a newline: redis-cli and clients could not send what redis.conf would read.
 */
export function readCredentials(
  settings: SecretSettings,
  environment: NodeJS.ProcessEnv,
): Credentials {
  const { user, passwordFile } = settings;
  const direct = environment.REKINDLE_PASSWORD;
  const password =
    passwordFile !== undefined
      ? withoutLastNewline(readGiven(passwordFile, "the password file"))
      : direct
        ? Buffer.from(direct)
        : undefined;
  if (password !== undefined && password.length === 0) {
    throw new RekindleError("configuration", `the password file ${passwordFile} is empty`, {
      hint: "write the password into it",
    });
  }
  if (password?.includes("\n") || password?.includes("\r")) {
    throw new RekindleError("configuration", "the password holds a newline", {
      hint: "choose one on a single line",
    });
  }
  if (user !== undefined && !/^[^\s"'#]+$/.test(user)) {
    throw new RekindleError("configuration", `"${user}" is no name for an ACL user`, {
      hint: "use a name without spaces or quotes in --user",
    });
  }
  if (user !== undefined && password === undefined) {
    throw new RekindleError("configuration", `the ACL user ${user} has no password`, {
      hint: "give one with --password-file",
    });
  }
  return { user, password };
}

function withoutLastNewline(bytes: Buffer): Buffer {
  if (!bytes.subarray(-1).equals(Buffer.from("\n"))) return bytes;
  return bytes.subarray(0, bytes.subarray(-2).equals(Buffer.from("\r\n")) ? -2 : -1);
}

/** The three files with absolute paths, which the server reads too, or `undefined` without TLS. */
export function tlsPaths(
  settings: SecretSettings,
): { cert: string; key: string; ca: string } | undefined {
  const { tlsCert, tlsKey, tlsCa } = settings;
  if (tlsCert === undefined || tlsKey === undefined || tlsCa === undefined) return undefined;
  return { cert: resolve(tlsCert), key: resolve(tlsKey), ca: resolve(tlsCa) };
}

export function readTls(settings: SecretSettings): TlsFiles | undefined {
  const paths = tlsPaths(settings);
  return paths && readTlsAt(paths);
}

export const readTlsAt = (paths: {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}): TlsFiles => ({
  cert: readGiven(paths.cert, "the TLS certificate"),
  key: readGiven(paths.key, "the TLS key"),
  ca: readGiven(paths.ca, "the TLS authorities"),
});
