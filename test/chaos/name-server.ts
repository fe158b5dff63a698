/** A small real DNS server over UDP, for names that resolve to all nodes: as a headless Service, and as wrong as one can be. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

export type Answers = "true" | "stale" | "nothing";

export interface NameServer extends AsyncDisposable {
  /** What the name resolves to from now on. */
  set(name: string, addresses: readonly string[]): void;
  /** `stale`: what it resolved to at this moment, whatever is set later. */
  answer(how: Answers): void;
  /** Questions that were answered wrongly, or not at all. */
  misled(): number;
}

export async function openNameServer(ip: string): Promise<NameServer> {
  const names = new Map<string, readonly string[]>();
  let old = new Map<string, readonly string[]>();
  let [how, misled] = ["true" as Answers, 0];
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    if (how !== "true") misled++;
    if (how === "nothing") return;
    const reply = answerQuery(query, how === "stale" ? old : names);
    if (reply) socket.send(reply, from.port, from.address);
  });
  socket.bind(53, ip);
  await once(socket, "listening");
  return {
    set: (name, addresses) => void names.set(name, addresses),
    answer(next) {
      old = new Map(names);
      how = next;
    },
    misled: () => misled,
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

const typeA = 1;

/** RFC 1035, section 4.1: header, one question, an A record for each address; any other type has none. */
function answerQuery(
  query: Buffer,
  names: ReadonlyMap<string, readonly string[]>,
): Buffer | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]; length; length = query[at]) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (at + 5 > query.length) return undefined;
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  const found = names.get(labels.join(".").toLowerCase());
  const records = type === typeA ? (found ?? []) : [];
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (found ? 0 : 3), 2); // An authority's answer; 3: no such name.
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map((ip) =>
    // The name as in the question, A, IN, for no time, four bytes.
    Buffer.from([0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, ...ip.split(".").map(Number)]),
  );
  return Buffer.concat([header, question, ...answers]);
}
