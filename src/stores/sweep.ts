/**
 * Keeps what has passed out of memory.
 *
 * Node's buffers lie outside V8's heap, which waits for 64 MiB of them, or more, before it looks which are still used: a gigabyte
 * that streams through a process of 20 MB made it one of 150 MB. A look at the young ones after every few MiB takes half a millisecond.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const everyBytes = 4 * 1024 * 1024;

type Collect = (options: { readonly type: "minor" }) => void;
let collect: Collect | undefined;

function sweep(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as Collect;
  }
  collect({ type: "minor" });
}

/** The same chunks. */
export async function* sweeping(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    yield chunk;
    bytes += chunk.length;
    if (bytes < everyBytes) continue;
    bytes = 0;
    sweep();
  }
}
