/**
 * An authority and a certificate that it has signed, as the files that Rekindle is given.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import type { TlsFiles } from "../../src/redis/connection.ts";

export interface Certificates {
  /** `--tls-cert`, `--tls-key` and `--tls-ca` with their paths. */
  readonly flags: readonly string[];
  readonly files: TlsFiles;
}

const key = "-newkey rsa:2048 -nodes -keyout";
const openssl = (line: string, ...more: string[]) =>
  execFileSync("openssl", [...line.split(" "), ...more], { stdio: "pipe" });

/** Another certificate of the same authority, with a key of its own. @param name what it is for, in its subject. */
export function renewCertificate(folder: string, name = "node"): void {
  const at = (file: string) => join(folder, file);
  openssl(`req ${key}`, at("node.key"), "-out", at("node.csr"), "-subj", `/CN=${name}`);
  openssl(
    "x509 -req -days 2 -CAcreateserial -in",
    ...[at("node.csr"), "-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-out", at("node.crt")],
  );
}

/** @param folder where the files go. @param name in the certificate's subject. */
export function makeCertificates(folder: string, name = "node"): Certificates {
  const at = (name: string) => join(folder, name);
  openssl(
    `req -x509 -days 2 ${key}`,
    at("ca.key"),
    "-out",
    at("ca.crt"),
    "-subj",
    `/CN=authority of ${name}`,
  );
  renewCertificate(folder, name);
  const [cert, nodeKey, ca] = [at("node.crt"), at("node.key"), at("ca.crt")];
  return {
    flags: ["--tls-cert", cert, "--tls-key", nodeKey, "--tls-ca", ca],
    files: { cert: readFileSync(cert), key: readFileSync(nodeKey), ca: readFileSync(ca) },
  };
}

/** Whom the certificate names that a server shows. */
export const subjectServed = (port: number, files: TlsFiles): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, ...files, checkServerIdentity: () => undefined }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once("error", reject);
  });
