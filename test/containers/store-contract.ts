/**
 * What every store must hold to, as tests: register them with a store that opens under a prefix of its own.
 */
import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { encryptStore } from "../../src/stores/encrypted.ts";
import { partBytes } from "../../src/stores/parts.ts";
import type { Store } from "../../src/stores/store.ts";
import type { Fault } from "./fault-proxy.ts";

const MiB = 1024 * 1024;

/** So many bytes, each part of them another, in chunks of this size. */
export async function* bytesOf(bytes: number, chunkBytes = 100_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; at += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, bytes - at), (at / chunkBytes) % 251);
    chunk[0] = chunk.length % 256;
    yield chunk;
  }
}

export async function digest(content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}

export async function namesIn(store: Store, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix)) names.push(name);
  return names;
}

/** All that is asked of a store, with something wrong on the way. */
export const tryEverything = (store: Store, fault: Fault): readonly Promise<unknown>[] => [
  store.write("file", bytesOf(9 * MiB)),
  digest(store.read("file")),
  namesIn(store),
  // Of a removal there is nothing to see in the answer.
  ...(fault === "portal" ? [] : [store.remove(["file"])]),
];

async function* endingIn(error: Error, bytes: number): AsyncGenerator<Buffer> {
  yield* bytesOf(bytes);
  throw error;
}

/** @param open a store in which nothing is, at a place of this name. */
export function testStore(open: (place: string) => Promise<Store>): void {
  test.concurrent.each([0, 1, partBytes(0), partBytes(0) + 1, 20 * MiB])(
    "a file of %d bytes is read as it was written, and listed with its size and time",
    async (bytes) => {
      const store = await open(`sizes-${bytes}`);
      await store.write("snapshots/a/0.rdb", bytesOf(bytes));
      expect(await digest(store.read("snapshots/a/0.rdb"))).toBe(await digest(bytesOf(bytes)));
      for await (const file of store.list("")) {
        expect(file).toMatchObject({ name: "snapshots/a/0.rdb", bytes });
        expect(Math.abs(Date.now() - Number(file.writtenAt))).toBeLessThan(120_000);
      }
      expect(await namesIn(store)).toHaveLength(1);
      store.close();
    },
  );

  test.concurrent("files are listed by what their names begin with, in order", async () => {
    const store = await open("order");
    const names = ["a.b", "a/b", "a/c/d", "ab", "b/10", "b/9"];
    for (const name of names.toReversed()) await store.write(name, bytesOf(1));
    expect(await namesIn(store)).toEqual(names);
    expect(await namesIn(store, "a/")).toEqual(["a/b", "a/c/d"]);
    expect(await namesIn(store, "b/1")).toEqual(["b/10"]);
    expect(await namesIn(store, "c")).toEqual([]);
    await store.remove(["a/b", "a/c/d", "never-there"]);
    expect(await namesIn(store, "a/")).toEqual([]);
    expect(await namesIn(store)).toContain("a.b");
    store.close();
  });

  test.concurrent("a file of the same name is replaced", async () => {
    const store = await open("replaced");
    await store.write("file", bytesOf(10 * MiB));
    await store.write("file", bytesOf(7));
    expect(await digest(store.read("file"))).toBe(await digest(bytesOf(7)));
    store.close();
  });

  test.concurrent("a file that is not there, and a name that leads out, are refused", async () => {
    const store = await open("refused");
    await store.write("file", bytesOf(1));
    await expect(digest(store.read("other"))).rejects.toMatchObject({
      reason: "refused",
      message: expect.stringContaining("there is no other in "),
    });
    for (const name of ["../file", "/file", "a//b", "a/../../file", "./file", "", "a\0b"]) {
      await expect(store.write(name, bytesOf(1))).rejects.toMatchObject({ reason: "refused" });
      await expect(store.remove([name])).rejects.toMatchObject({ reason: "refused" });
    }
    store.close();
  });

  test.concurrent.each([1, 12 * MiB])(
    "content that breaks off after %d bytes leaves nothing, and its own error is told",
    async (bytes) => {
      const store = await open(`broken-${bytes}`);
      const error = new Error("the server has gone");
      await expect(store.write("file", endingIn(error, bytes))).rejects.toBe(error);
      expect(await namesIn(store)).toEqual([]);
      store.close();
    },
  );

  test.concurrent("writing and reading end when their signal says so", async () => {
    const store = await open("aborted");
    const stop = new AbortController();
    async function* content() {
      yield* bytesOf(9 * MiB);
      stop.abort(new Error("enough"));
      yield* bytesOf(9 * MiB);
    }
    await expect(store.write("file", content(), stop.signal)).rejects.toThrow("enough");
    expect(await namesIn(store)).toEqual([]);
    async function* stalling() {
      yield* bytesOf(9 * MiB);
      await new Promise(() => {});
    }
    const late = AbortSignal.timeout(1_000);
    await expect(store.write("file", stalling(), late)).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(await namesIn(store)).toEqual([]);
    await store.write("file", bytesOf(12 * MiB));
    const other = new AbortController();
    const reading = async () => {
      for await (const _ of store.read("file", other.signal)) other.abort(new Error("enough"));
    };
    await expect(reading()).rejects.toThrow("enough");
    store.close();
  });

  test.concurrent("a reader may leave off", async () => {
    const store = await open("left");
    await store.write("file", bytesOf(12 * MiB));
    for await (const chunk of store.read("file")) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(await digest(store.read("file"))).toBe(await digest(bytesOf(12 * MiB)));
    store.close();
  });

  test.concurrent("what is encrypted on our side is stored as nobody can read it, but for manifests", async () => {
    const plain = await open("encrypted");
    const store = encryptStore(plain, randomBytes(32));
    await store.write("snapshots/a/0.rdb", bytesOf(9 * MiB));
    await store.write("snapshots/a/manifest.json", bytesOf(100));
    const written = await digest(bytesOf(9 * MiB));
    expect(await digest(store.read("snapshots/a/0.rdb"))).toBe(written);
    expect(await digest(plain.read("snapshots/a/0.rdb"))).not.toBe(written);
    expect(await digest(plain.read("snapshots/a/manifest.json"))).toBe(await digest(bytesOf(100)));
    store.close();
  });
}
