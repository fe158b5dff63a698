/**
 * A process of its own, to be measured: writes a file and reads it. Arguments: the store's URL and endpoint, and how many MiB. Prints by how many MiB
 * its memory grew, at most, from the first small file on.
 */
import { openStore } from "../../src/stores/open-store.ts";

const [, , url = "", storeEndpoint, mebibytes] = process.argv;
const MiB = 1024 * 1024;
const peak = (): number => process.resourceUsage().maxRSS / 1024;

/** In new buffers, as a socket gives them. */
async function* content(bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; at += 64 * 1024) {
    yield Buffer.alloc(Math.min(64 * 1024, bytes - at), 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const store = await openStore(url, { storeEndpoint, storePathStyle: true });
await store.write("small", content(1));
const before = peak();
await store.write("large", content(Number(mebibytes) * MiB));
const written = peak() - before;
let bytes = 0;
for await (const chunk of store.read("large")) bytes += chunk.length;
await store.remove(["small", "large"]);
store.close();
console.log(JSON.stringify({ bytes, written, read: peak() - before }));
