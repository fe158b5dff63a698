/** Snapshots in a real S3 server, and what a network and a busy server do to them. */
import { execFile, spawn } from "node:child_process";
import type { IncomingMessage } from "node:http";
import { inspect, promisify } from "node:util";
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { RekindleError } from "../../src/errors.ts";
import { openStore } from "../../src/stores/open-store.ts";
import type { StoreSettings } from "../../src/stores/settings.ts";
import type { Store } from "../../src/stores/store.ts";
import { until } from "../redis/until.ts";
import { type Fault, startFaultProxy } from "./fault-proxy.ts";
import { actAs, bucket, type S3Server, smallBucket, startS3Server } from "./s3-under-test.ts";
import { bytesOf, digest, namesIn, testStore, tryEverything } from "./store-contract.ts";

const MiB = 1024 * 1024;
const image = inject("s3Image");
let server: S3Server;

const open = (place: string, more: Partial<StoreSettings> = {}): Promise<Store> =>
  openStore(`s3://${bucket}/${place}`, {
    storeEndpoint: server.endpoint,
    storePathStyle: true,
    ...more,
  });

const isPart = ({ method, url }: IncomingMessage): boolean =>
  method === "PUT" && (url ?? "").includes("partNumber=");

describe.skipIf(image === "")("S3", () => {
  beforeAll(async () => {
    server = await startS3Server(image);
    actAs("writer");
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  describe("what every store holds to", () => testStore(open));

  test.concurrent("more files than one answer lists are listed and removed", async () => {
    const store = await open("many");
    const names = Array.from(
      { length: 1_003 },
      (_, index) => `n/${String(index).padStart(4, "0")}`,
    );
    const left = [...names];
    const writeAll = async () => {
      for (let name = left.pop(); name; name = left.pop()) await store.write(name, bytesOf(1));
    };
    await Promise.all(Array.from({ length: 24 }, writeAll));
    expect(await namesIn(store)).toEqual(names);
    await store.remove(names);
    expect(await namesIn(store)).toEqual([]);
    store.close();
  });

  test.concurrent("what cut off uploads left is unseen, and taken away when it is old, and no other's", async () => {
    const begin = async (Key: string) =>
      server.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    await begin("leftovers/snapshots/a/0.rdb");
    await begin("leftovers-of-another/0.rdb");
    const store = await open("leftovers");
    expect(await namesIn(store)).toEqual([]);
    expect(await store.removeLeftovers(new Date(Date.now() - 3_600_000))).toBe(0);
    expect(await store.removeLeftovers(new Date(Date.now() + 3_600_000))).toBe(1);
    expect(await store.removeLeftovers(new Date(Date.now() + 3_600_000))).toBe(0);
    const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: "leftovers" });
    const { Uploads } = await server.client.send(list);
    expect(Uploads?.map(({ Key }) => Key)).toEqual(["leftovers-of-another/0.rdb"]);
    store.close();
  });

  test.concurrent("killed in mid-upload it leaves nothing that is listed, and what is taken away later", async () => {
    const script = new URL("write-endlessly.ts", import.meta.url).pathname;
    const place = `s3://${bucket}/killed`;
    const child = spawn(process.execPath, [script, place, server.endpoint], { stdio: "inherit" });
    const list = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: "killed/" });
    await until(
      "an upload under way",
      async () => (await server.client.send(list)).Uploads ?? [],
      (uploads) => uploads.length > 0,
    );
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    const store = await open("killed");
    expect(await namesIn(store)).toEqual([]);
    expect(await store.removeLeftovers(new Date(Date.now() + 60_000))).toBe(1);
    store.close();
  });

  test.concurrent("a file that streams through takes no memory of its size", async () => {
    const script = new URL("stream-through.ts", import.meta.url).pathname;
    const place = `s3://${bucket}/memory`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...[script, place, server.endpoint, "256"],
    ]);
    const { bytes, written, read } = JSON.parse(stdout);
    expect(bytes).toBe(256 * MiB);
    expect(Math.max(written, read)).toBeLessThan(64);
  });

  /** A store that is reached through these faults. */
  async function openThrough(
    place: string,
    choose: (request: IncomingMessage, index: number) => Fault,
    more: Partial<StoreSettings> = {},
  ) {
    const proxy = await startFaultProxy(server.address, choose);
    const store = await open(place, { storeEndpoint: proxy.endpoint, ...more });
    return { store, proxy };
  }

  const parts = (fault: Fault, times: number) => {
    let left = times;
    return (request: IncomingMessage): Fault => (isPart(request) && left-- > 0 ? fault : "none");
  };

  test.concurrent.each<[string, Fault, number]>([
    ["answers 503 SlowDown", { status: 503, code: "SlowDown" }, 3],
    ["answers 500", { status: 500, code: "InternalError" }, 2],
    ["resets the connection in mid-upload", { resetAfter: 3 * MiB }, 2],
    ["damages what is sent", "flip a bit", 2],
    ["does what it is told, and its answer is lost", "lose answer", 2],
  ])("a store that %s is asked again, and has what was sent", async (what, fault, times) => {
    const place = `again-${what.replaceAll(/\W/g, "-")}`;
    const { store, proxy } = await openThrough(place, parts(fault, times));
    await using _ = proxy;
    await store.write("file", bytesOf(20 * MiB));
    expect(proxy.seen.filter((one) => one.includes("partNumber="))).toHaveLength(3 + times);
    expect(await digest(store.read("file"))).toBe(await digest(bytesOf(20 * MiB)));
    expect(await store.removeLeftovers(new Date(Date.now() + 60_000))).toBe(0);
    store.close();
  });

  test.concurrent("when the answer to the last request of an upload is lost, what is there decides", async () => {
    let left = 1;
    const isLast = ({ method, url }: IncomingMessage) =>
      method === "POST" && (url ?? "").includes("uploadId=");
    const { store, proxy } = await openThrough("completed", (request) =>
      isLast(request) && left-- > 0 ? "lose answer" : "none",
    );
    await using _ = proxy;
    await store.write("file", bytesOf(9 * MiB));
    expect(await digest(store.read("file"))).toBe(await digest(bytesOf(9 * MiB)));
    store.close();
  });

  test.concurrent("a download that breaks goes on at the byte where it was", async () => {
    let breaks = 0;
    const { store, proxy } = await openThrough("broken-reads", ({ method }) =>
      method === "GET" && breaks++ < 3 ? { breakAfter: 3 * MiB } : "none",
    );
    await using _ = proxy;
    await store.write("file", bytesOf(20 * MiB));
    expect(await digest(store.read("file"))).toBe(await digest(bytesOf(20 * MiB)));
    const reads = proxy.seen.filter((one) => one.startsWith("GET"));
    const begins = reads.map((one) => Number(/bytes=(\d+)-$/.exec(one)?.[1] ?? 0));
    expect(begins).toHaveLength(4);
    expect(begins.toSorted((a, b) => a - b)).toEqual(begins);
    expect(begins.at(-1)).toBeGreaterThan(3 * MiB);
    store.close();
  });

  test.concurrent("a slow store is waited for as long as it takes anything", async () => {
    const { store, proxy } = await openThrough("slow", () => ({ bytesASecond: MiB }), {
      storePatience: 1_000,
    });
    await using _ = proxy;
    await store.write("file", bytesOf(3 * MiB));
    expect(await namesIn(store)).toEqual(["file"]);
    store.close();
  });

  test.concurrent.each<[string, Fault, RegExp]>([
    ["does not answer", "hang", /does not get better \(no answer/],
    ["answers 503", { status: 503, code: "SlowDown" }, /does not get better \(503 SlowDown\)/],
    ["answers with a page of somebody else", "portal", /does not get better/],
    ["resets", "reset", /does not get better \(E\w+\)/],
  ])(
    "a store that only ever %s is given up when its patience ends, in one line",
    async (what, fault, line) => {
      const { store, proxy } = await openThrough(`up-${what.replaceAll(/\W/g, "-")}`, () => fault, {
        storePatience: 1_500,
      });
      await using _ = proxy;
      const startedMs = performance.now();
      for (const result of await Promise.allSettled(tryEverything(store, fault))) {
        expect(result).toMatchObject({
          status: "rejected",
          reason: { reason: "tryAgain", hint: expect.stringContaining("--store-patience") },
        });
        const { message } = (result as PromiseRejectedResult).reason as Error;
        expect(message).toMatch(line);
        expect(message).toContain(`s3://${bucket}/up-`);
      }
      expect(performance.now() - startedMs).toBeLessThan(10_000);
      store.close();
    },
  );

  describe("what only a person can mend is said at once, in one line without a secret", () => {
    /** Not concurrent: credentials are this process's. */
    async function fails(url: string, more: Partial<StoreSettings>, bytes: number) {
      const { storeEndpoint = server.endpoint } = more;
      const store = await openStore(url, { storePathStyle: true, ...more, storeEndpoint });
      const thrown = await store.write("file", bytesOf(bytes)).then(
        () => undefined,
        (error: unknown) => error,
      );
      store.close();
      expect(thrown).toMatchObject({ reason: "configuration" });
      const { message, hint, stack } = thrown as RekindleError;
      expect(message).toContain(url);
      expect(hint).toMatch(/.+/);
      expect(`${message}${hint}`).not.toContain("\n");
      expect(`${stack}${inspect(thrown, { depth: 9 })}`).not.toMatch(
        /secret of|Signature=|AWS4-HMAC/,
      );
      return message;
    }
    const url = `s3://${bucket}/mended`;
    afterEach(() => actAs("writer"));

    test.each([1, 5 * MiB, 9 * MiB])(
      "a wrong secret, a user whom nobody knows, none at all (%d bytes)",
      async (bytes) => {
        actAs("writer", "a secret of another");
        expect(await fails(url, {}, bytes)).toMatch(/the credentials are refused \(403 Signature/);
        actAs("nobody");
        expect(await fails(url, {}, bytes)).toMatch(/the credentials are refused \(403 InvalidAcc/);
        delete process.env.AWS_ACCESS_KEY_ID;
        expect(await fails(url, {}, bytes)).toContain("there are no credentials for it");
      },
    );
    test.each([1, 5 * MiB, 9 * MiB])("no such bucket (%d bytes)", async (bytes) => {
      expect(await fails("s3://nowhere/x", {}, bytes)).toContain("there is no bucket nowhere");
    });
    test("no right to write; reading works", async () => {
      const own = await open("mended");
      await own.write("there", bytesOf(5));
      actAs("reader");
      expect(await fails(url, {}, 9 * MiB)).toContain("may not do this (403 AccessDenied)");
      const store = await open("mended");
      expect(await namesIn(store)).toEqual(["there"]);
      expect(await digest(store.read("there"))).toBe(await digest(bytesOf(5)));
      await expect(store.remove(["there"])).rejects.toMatchObject({ reason: "configuration" });
      for (const one of [own, store]) one.close();
    });
    test("a store that is full", async () => {
      actAs("miser");
      expect(await fails(`s3://${smallBucket}/x`, {}, 5 * MiB)).toContain("the store is full");
    });
    test("an address that speaks no TLS", async () => {
      const storeEndpoint = server.endpoint.replace("http:", "https:");
      expect(await fails(url, { storeEndpoint }, 1)).toContain("does not speak TLS as it should");
    });
  });
});
