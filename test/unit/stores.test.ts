import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { readSettings } from "../../src/settings.ts";
import { readEncryptionKey } from "../../src/stores/encryption-key.ts";
import { openStore } from "../../src/stores/open-store.ts";
import {
  cutIntoParts,
  fileBytesMax,
  type Part,
  partBytes,
  sendParts,
} from "../../src/stores/parts.ts";
import { storeSettingDescriptions } from "../../src/stores/settings.ts";
import { parseStoreUrl } from "../../src/stores/url.ts";

const GiB = 1024 ** 3;

test.each([
  ["file:///backups/", { kind: "folder", path: "/backups" }],
  ["file:///with%20space", { kind: "folder", path: "/with space" }],
  ["s3://bucket", { kind: "s3", bucket: "bucket", prefix: "" }],
  ["s3://my.bucket/a/b/", { kind: "s3", bucket: "my.bucket", prefix: "a/b/" }],
  ["gs://bucket/a", { kind: "gs", bucket: "bucket", prefix: "a/" }],
])("%s is a store", (url, place) => {
  expect(parseStoreUrl(url)).toMatchObject(place);
});

test.each([
  ["/backups", "write file:///backups"],
  ["file://backups/x", "three slashes"],
  ["https://s3.example.com/bucket", "use file:///path, s3://"],
  ["s3:///prefix", "name a bucket"],
  ["s3://BUCKET", "name a bucket"],
  ["s3://bucket/a b", "use letters"],
  ["s3://bucket/a//b", "use letters"],
  ["s3://key:topsecret@bucket/x", "credentials come from the environment"],
  ["s3://bucket/x?secret=topsecret", "options are flags"],
  ["https://key:topsecret@host/x?topsecret", "use file:///path"],
  ["backups", "use file:///path"],
])("%s is none; what to change is said, and no secret", async (url, hint) => {
  const opening = openStore(url);
  await expect(opening).rejects.toMatchObject({
    reason: "configuration",
    hint: expect.stringContaining(hint),
  });
  await expect(opening).rejects.not.toThrow("topsecret");
});

test("an encryption that a store does not have is refused, not left out", async () => {
  const reason = "configuration";
  const storeEncryption = "aes-256";
  for (const url of ["file:///backups", "s3://bucket"])
    await expect(openStore(url, { storeEncryption })).rejects.toMatchObject({ reason });
  for (const fits of ["aes256", "AES256", "aws:kms", "aws:kms:arn:aws:kms:eu-1:1:key/x"])
    await openStore("s3://bucket", { storeEncryption: fits });
});

test("an endpoint is a plain URL", () => {
  const read = (storeEndpoint: string) =>
    readSettings(storeSettingDescriptions, { storeEndpoint }, {}).storeEndpoint;
  expect(read("http://127.0.0.1:3900")).toBe("http://127.0.0.1:3900");
  for (const bad of ["127.0.0.1:3900", "ftp://host", "http://user:password@host", "host"])
    expect(() => read(bad)).toThrow("expected a URL as https://s3.example.com");
});

test("parts are small at first, multiples of what Google demands, and 10,000 of them hold 148 GiB", () => {
  let bytes = 0;
  for (let index = 0; index < 10_000; index++) {
    expect(partBytes(index) % (256 * 1024)).toBe(0);
    expect(partBytes(index)).toBeGreaterThanOrEqual(index === 0 ? 0 : partBytes(index - 1));
    bytes += partBytes(index);
  }
  expect(2 * partBytes(9_999)).toBeLessThanOrEqual(48 * 1024 * 1024);
  expect(bytes).toBe(fileBytesMax);
  expect(Math.floor(fileBytesMax / GiB)).toBe(148);
});

test.each([
  [[], [0]],
  [[0, 0], [0]],
  [[10], [10]],
  [
    [10, 10],
    [10, 10],
  ],
  [[25], [10, 10, 5]],
  [
    [3, 3, 3, 3],
    [10, 2],
  ],
])("chunks of %j bytes make parts of %j", async (chunks, parts) => {
  let next = 0;
  const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => index));
  async function* content() {
    let at = 0;
    for (const length of chunks) {
      yield bytes.subarray(at, at + length);
      at += length;
    }
  }
  const seen: number[] = [];
  for await (const part of cutIntoParts(content(), () => 10)) {
    expect(part.offset).toBe(next);
    expect(part.bytes).toEqual(bytes.subarray(next, next + part.bytes.length));
    next += part.bytes.length;
    seen.push(part.bytes.length);
    expect(part.isLast).toBe(seen.length === parts.length);
  }
  expect(seen).toEqual(parts);
});

/** Parts of which each is one byte over and over: its index. */
async function* contentOf(count: number) {
  for (let index = 0; index < count; index++) yield Buffer.alloc(partBytes(0), index);
}

test("two parts at once are on their way, each whole until it has arrived, and the last one alone", async () => {
  const ways: { readonly part: Part; readonly arrive: () => void }[] = [];
  const order: string[] = [];
  const sending = sendParts(contentOf(5), 2, async (part, index) => {
    order.push(`${index}`);
    await new Promise<void>((arrive) => ways.push({ part, arrive }));
    expect(part.bytes.every((byte) => byte === index)).toBe(true);
    order.push(`${index} arrived`);
  });
  const underWay = (count: number) => vi.waitUntil(() => ways.length === count);
  await underWay(2);
  ways[1]?.arrive();
  ways[0]?.arrive();
  await underWay(4);
  for (const way of ways) way.arrive();
  await underWay(5);
  expect(ways[4]?.part.isLast).toBe(true);
  expect(order).toHaveLength(9);
  ways[4]?.arrive();
  await sending;
  expect(order.filter((one) => one.endsWith("arrived"))).toHaveLength(5);
});

test("a part that fails stops the one beside it, and is what is thrown, though the content waits", async () => {
  async function* waiting() {
    yield* contentOf(3);
    await new Promise(() => {});
  }
  const stopped: unknown[] = [];
  const sending = sendParts(waiting(), 2, async (_, index, signal) => {
    if (index === 1) throw new Error("no room");
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    stopped.push(signal.reason.message);
  });
  await expect(sending).rejects.toThrow("no room");
  expect(stopped).toEqual(["no room"]);
});

test("a key is 32 bytes in hex or base64, in a file that not everybody can read", () => {
  const folder = mkdtempSync(join(tmpdir(), "rekindle-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "key");
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7));
  const write = (text: string, mode = 0o600) => {
    writeFileSync(path, text);
    chmodSync(path, mode);
  };
  for (const text of [key.toString("hex"), `${key.toString("base64")}\n`]) {
    write(text);
    expect(readEncryptionKey(path)).toEqual(key);
  }
  // A secret's volume in a pod belongs to root and the pod's group.
  write(key.toString("hex"), 0o440);
  expect(readEncryptionKey(path)).toEqual(key);
  for (const text of ["", "00".repeat(31), key.toString("base64").slice(1), "not a key"]) {
    write(text);
    expect(() => readEncryptionKey(path)).toThrow("is not 32 bytes in hex or base64");
  }
  write(key.toString("hex"), 0o644);
  expect(() => readEncryptionKey(path)).toThrow("everybody can read the encryption key");
  expect(() => readEncryptionKey(join(folder, "none"))).toThrow("cannot be read");
});
