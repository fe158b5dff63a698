/**
 * Encryption before anything leaves this machine: a store around another.
 *
 * Each file has a key of its own, derived from the given one and 32 random bytes (so nonces need no randomness), and is encrypted in
 * chunks by AES-256-GCM. A chunk's nonce holds its number and whether it is the last; its authenticated data is the header and
 * the file's name. So nothing can be changed, cut off, put into another order or under another name unseen (STREAM, Hoang, Reyhanitabar,
 * Rogaway, Vizár 2015).
 *
 *     "RKENC\n" 0 1 | the given key's fingerprint, 8 bytes | random, 32 bytes | chunks, each with a tag of 16 bytes
 *
 * Manifests stay as they are, so that snapshots can be listed, and removed, by who does not have the key.
 */
import {
  createCipheriv,
  createDecipheriv,
  type DecipherGCM,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import { RekindleError } from "../errors.ts";
import { cutIntoParts } from "./parts.ts";
import type { Store } from "./store.ts";

const magic = Buffer.from("RKENC\n\0\u0001", "latin1");
const fingerprintBytes = 8;
const headerBytes = magic.length + fingerprintBytes + 32;
const chunkBytes = 256 * 1024;
const tagBytes = 16;

const derive = (key: Buffer, salt: Uint8Array, what: string, bytes: number): Buffer =>
  Buffer.from(hkdfSync("sha256", key, salt, `rekindle ${what}`, bytes));

const rawFingerprint = (key: Buffer): Buffer =>
  derive(key, Buffer.alloc(0), "fingerprint", fingerprintBytes);

/** Tells keys apart, and nothing about them. */
export const fingerprintOf = (key: Buffer): string => rawFingerprint(key).toString("hex");

/** @param key 32 bytes. */
export function encryptStore(store: Store, key: Buffer): Store {
  const isPlain = (name: string): boolean => name.endsWith("manifest.json");
  return {
    ...store,
    encryptedFor: fingerprintOf(key),
    write: (name, content, signal) =>
      store.write(name, isPlain(name) ? content : encrypt(content, key, name), signal),
    read: (name, signal) => {
      const content = store.read(name, signal);
      return isPlain(name) ? content : decrypt(content, key, name, store.url);
    },
  };
}

export async function* encrypt(
  content: AsyncIterable<Uint8Array>,
  key: Buffer,
  name: string,
): AsyncGenerator<Uint8Array, void> {
  const salt = randomBytes(32);
  const header = Buffer.concat([magic, rawFingerprint(key), salt]);
  const fileKey = derive(key, salt, "file", 32);
  yield header;
  let number = 0;
  for await (const { bytes, isLast } of cutIntoParts(content, () => chunkBytes)) {
    const cipher = createCipheriv("aes-256-gcm", fileKey, nonceOf(number++, isLast));
    cipher.setAAD(Buffer.concat([header, Buffer.from(name)]));
    yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  }
}

/** @throws RekindleError "refused" for anything but what was written with this key under this name. */
export async function* decrypt(
  content: AsyncIterable<Uint8Array>,
  key: Buffer,
  name: string,
  url: string,
): AsyncGenerator<Uint8Array, void> {
  const sizeOf = (index: number): number => (index === 0 ? headerBytes : chunkBytes + tagBytes);
  let header: Buffer | undefined;
  let fileKey: Buffer = Buffer.alloc(0);
  let number = 0;
  for await (const { bytes, isLast } of cutIntoParts(content, sizeOf)) {
    if (header === undefined) {
      header = Buffer.from(bytes);
      checkHeader(header, key, `${name} in ${url}`);
      fileKey = derive(key, header.subarray(-32), "file", 32);
      if (isLast) throw damaged(`${name} in ${url}`);
      continue;
    }
    const decipher = createDecipheriv("aes-256-gcm", fileKey, nonceOf(number++, isLast));
    decipher.setAAD(Buffer.concat([header, Buffer.from(name)]));
    const plain = unseal(decipher, bytes);
    if (plain === undefined) throw damaged(`${name} in ${url}`);
    if (plain.length > 0) yield plain;
  }
}

/** 7 zeros, the chunk's number, and 1 for the last: another key for each file, another number for each chunk. */
function nonceOf(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 7);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}

function unseal(decipher: DecipherGCM, sealed: Buffer): Buffer | undefined {
  if (sealed.length < tagBytes) return undefined;
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function checkHeader(header: Buffer, key: Buffer, what: string): void {
  if (!header.subarray(0, magic.length).equals(magic))
    throw new RekindleError("refused", `${what} is not encrypted`, {
      hint: "leave out --encryption-key-file for a snapshot from before it was used",
    });
  if (header.length < headerBytes) throw damaged(what);
  const other = header.subarray(magic.length, magic.length + fingerprintBytes).toString("hex");
  if (other === fingerprintOf(key)) return;
  throw new RekindleError(
    "refused",
    `${what} is encrypted with the key ${other}, and the key given is ${fingerprintOf(key)}`,
    { hint: "name the file of that key with --encryption-key-file" },
  );
}

const damaged = (what: string) =>
  new RekindleError("refused", `${what} was changed, cut off or moved since it was encrypted`, {
    hint: "choose another snapshot",
  });
