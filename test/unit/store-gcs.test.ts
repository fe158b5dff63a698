/** Through Google's own client. */
import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/stores/open-store.ts";
import type { StoreSettings } from "../../src/stores/settings.ts";
import { type Fault, startFaultProxy } from "../containers/fault-proxy.ts";
import { type GcsEmulator, startGcsEmulator } from "../containers/gcs-emulator.ts";
import {
  bytesOf,
  digest,
  namesIn,
  testStore,
  tryEverything,
} from "../containers/store-contract.ts";

const MiB = 1024 * 1024;
const bucket = "my-bucket";
let emulator: GcsEmulator;

beforeAll(async () => {
  emulator = await startGcsEmulator(bucket);
});
afterAll(() => emulator[Symbol.asyncDispose]());

const open = (place: string, more: Partial<StoreSettings> = {}) =>
  openStore(`gs://${bucket}/${place}`, { storeEndpoint: emulator.endpoint, ...more });

describe("what every store holds to", () => testStore(open));

async function openThrough(
  place: string,
  choose: (request: IncomingMessage) => Fault,
  more: Partial<StoreSettings> = {},
) {
  const { hostname: host, port } = new URL(emulator.endpoint);
  const proxy = await startFaultProxy({ host, port: Number(port) }, choose);
  return { store: await open(place, { storeEndpoint: proxy.endpoint, ...more }), proxy };
}

test("a store that keeps less than it is sent gets the rest again", async () => {
  await using sparing = await startGcsEmulator(bucket);
  sparing.keepAtMost = 3 * MiB + 1_000;
  const store = await openStore(`gs://${bucket}/x`, { storeEndpoint: sparing.endpoint });
  await store.write("file", bytesOf(20 * MiB));
  expect(await digest(store.read("file"))).toBe(await digest(bytesOf(20 * MiB)));
});

test("more files than one answer lists are listed and removed", async () => {
  const store = await open("many");
  const names = Array.from({ length: 203 }, (_, index) => `n/${String(index).padStart(4, "0")}`);
  await Promise.all(names.map((name) => store.write(name, bytesOf(1))));
  expect(await namesIn(store)).toEqual(names);
  await store.remove(names);
  expect(await namesIn(store)).toEqual([]);
});

const puts = (fault: Fault, times: number) => {
  let left = times;
  return ({ method }: IncomingMessage): Fault => (method === "PUT" && left-- > 0 ? fault : "none");
};

test.concurrent.each<[string, Fault, number]>([
  ["answers 503", { status: 503, code: "" }, 2],
  ["answers 429", { status: 429, code: "" }, 2],
  ["resets the connection in mid-upload", { resetAfter: 3 * MiB }, 2],
  ["keeps a part, its answer lost", "lose answer", 1],
])("a store that %s is asked what it has, and gets the rest", async (what, fault, times) => {
  const { store, proxy } = await openThrough(what.replaceAll(/\W/g, "-"), puts(fault, times));
  await using _ = proxy;
  await store.write("file", bytesOf(20 * MiB));
  expect(await digest(store.read("file"))).toBe(await digest(bytesOf(20 * MiB)));
});

test.concurrent("what was damaged on its way is taken away, and said", async () => {
  const { store, proxy } = await openThrough("damaged", puts("flip a bit", 1));
  await using _ = proxy;
  await expect(store.write("file", bytesOf(9 * MiB))).rejects.toMatchObject({
    reason: "tryAgain",
    message: expect.stringContaining("is not what was sent"),
  });
  expect(await namesIn(store)).toEqual([]);
});

test.concurrent("a download that breaks goes on at the byte where it was", async () => {
  let breaks = 0;
  const { store, proxy } = await openThrough("broken", ({ url }) =>
    url?.includes("alt=media") && breaks++ < 3 ? { breakAfter: 3 * MiB } : "none",
  );
  await using _ = proxy;
  await store.write("file", bytesOf(20 * MiB));
  expect(await digest(store.read("file"))).toBe(await digest(bytesOf(20 * MiB)));
  expect(proxy.seen.at(-1)).toMatch(/bytes=\d{7,}-$/);
});

test.concurrent.each<[string, Fault, string, RegExp]>([
  ["hang", "hang", "tryAgain", /does not get better \(no answer/],
  ["503", { status: 503, code: "" }, "tryAgain", /does not get better \(503/],
  ["hello", "portal", "tryAgain", /does not get better \(no valid answer/],
  ["reset", "reset", "tryAgain", /does not get better \(/],
  ["401", { status: 401, code: "" }, "configuration", /credentials are refused \(401/],
  ["403", { status: 403, code: "" }, "configuration", /may not do this \(403/],
])("a store that only ever says %s is told in one line", async (what, fault, reason, line) => {
  const { store, proxy } = await openThrough(`ever-${what}`, () => fault, { storePatience: 1_500 });
  await using _ = proxy;
  for (const result of await Promise.allSettled(tryEverything(store, fault))) {
    expect(result).toMatchObject({ status: "rejected", reason: { reason } });
    expect((result as PromiseRejectedResult).reason.message).toMatch(line);
  }
});

test("no such bucket, and no credentials, are said at once", async () => {
  const nowhere = await openStore("gs://nowhere/x", { storeEndpoint: emulator.endpoint });
  await expect(nowhere.write("file", bytesOf(1))).rejects.toThrow("there is no bucket nowhere");
  await expect(namesIn(nowhere)).rejects.toThrow("there is no bucket nowhere");
  process.env.GOOGLE_APPLICATION_CREDENTIALS = "/nowhere/key.json";
  const store = await openStore(`gs://${bucket}/x`);
  await expect(store.write("file", bytesOf(1))).rejects.toMatchObject({
    reason: "configuration",
    message: `gs://${bucket}/x: there are no credentials for it`,
  });
});
