/** A process of its own, to be killed: writes a file that never ends. Arguments: the store's URL and endpoint. */
import { openStore } from "../../src/stores/open-store.ts";

const [, , url = "", storeEndpoint] = process.argv;

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(1024 * 1024);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const store = await openStore(url, { storeEndpoint, storePathStyle: true });
await store.write("snapshots/a/0.rdb", endless());
