import fc from "fast-check";
import { expect, test } from "vitest";
import { decrypt, encrypt, fingerprintOf } from "../../src/stores/encrypted.ts";

const key = Buffer.alloc(32, 7);
const url = "s3://bucket/prefix";
const chunkBytes = 256 * 1024;
const sealedBytes = chunkBytes + 16;
const headerBytes = 48;

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const seal = (plain: Buffer, name = "0.rdb", sizes: readonly number[] = []): Promise<Buffer> =>
  collect(encrypt(chunksOf(plain, sizes), key, name));
const unseal = (sealed: Buffer, name = "0.rdb", sizes: readonly number[] = [], by = key) =>
  collect(decrypt(chunksOf(sealed, sizes), by, name, url));

const patterned = (bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8)) % 256));

const length = fc.oneof(
  fc.nat(200),
  fc.constantFrom(chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes),
  fc.nat(3 * chunkBytes),
);
const sizes = fc.array(fc.nat(chunkBytes + 100), { maxLength: 8 });

test("any content in any chunks comes back as it was", async () => {
  await fc.assert(
    fc.asyncProperty(length, sizes, sizes, async (bytes, written, read) => {
      const plain = patterned(bytes);
      const sealed = await seal(plain, "0.rdb", written);
      expect((await unseal(sealed, "0.rdb", read)).equals(plain)).toBe(true);
      expect(sealed.length).toBe(
        headerBytes + bytes + 16 * Math.max(1, Math.ceil(bytes / chunkBytes)),
      );
    }),
    { numRuns: 40 },
  );
});

test("any changed bit, any cut and anything added is refused", async () => {
  await fc.assert(
    fc.asyncProperty(length, fc.nat(), fc.nat(7), async (bytes, where, bit) => {
      const sealed = await seal(patterned(bytes));
      const at = where % sealed.length;
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      for (const bad of [changed, sealed.subarray(0, at), Buffer.concat([sealed, Buffer.of(0)])])
        await expect(unseal(bad)).rejects.toMatchObject({ reason: "refused" });
    }),
    { numRuns: 40 },
  );
});

test("cuts between chunks, chunks in another order or of another file, and another name are refused", async () => {
  const plain = patterned(3 * chunkBytes);
  const sealed = await seal(plain);
  const other = await seal(plain);
  const at = (index: number) => headerBytes + index * sealedBytes;
  const chunk = (of: Buffer, index: number) => of.subarray(at(index), at(index + 1));
  const header = sealed.subarray(0, headerBytes);
  for (const bad of [
    sealed.subarray(0, at(0)),
    sealed.subarray(0, at(2)),
    Buffer.concat([header, chunk(sealed, 1), chunk(sealed, 0), chunk(sealed, 2)]),
    Buffer.concat([header, chunk(sealed, 0), chunk(other, 1), chunk(sealed, 2)]),
    Buffer.concat([sealed, chunk(sealed, 2)]),
    Buffer.concat([other.subarray(0, headerBytes), sealed.subarray(headerBytes)]),
  ])
    await expect(unseal(bad)).rejects.toThrow("was changed, cut off or moved");
  await expect(unseal(sealed, "1.rdb")).rejects.toThrow("was changed, cut off or moved");
});

test("no plain byte is given out of a chunk that is not whole", async () => {
  const sealed = await seal(patterned(chunkBytes + 10));
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  const given: Uint8Array[] = [];
  const reading = async () => {
    for await (const bytes of decrypt(chunksOf(sealed, []), key, "0.rdb", url)) given.push(bytes);
  };
  await expect(reading()).rejects.toThrow();
  expect(Buffer.concat(given).length).toBe(chunkBytes);
});

test("a wrong key is said as one, by both fingerprints; what is not encrypted, too", async () => {
  const wrong = Buffer.alloc(32, 8);
  const unsealing = unseal(await seal(Buffer.from("x")), "0.rdb", [], wrong);
  await expect(unsealing).rejects.toMatchObject({
    reason: "refused",
    message: `0.rdb in ${url} is encrypted with the key ${fingerprintOf(key)}, and the key given is ${fingerprintOf(wrong)}`,
  });
  await expect(unseal(Buffer.from("REDIS0012"))).rejects.toThrow("is not encrypted");
  await expect(unseal(Buffer.alloc(0))).rejects.toThrow("is not encrypted");
});

test("nothing repeats: the same content is sealed anew each time", async () => {
  const [first, second] = await Promise.all([seal(Buffer.alloc(100)), seal(Buffer.alloc(100))]);
  expect(first.subarray(headerBytes)).not.toEqual(second.subarray(headerBytes));
});
