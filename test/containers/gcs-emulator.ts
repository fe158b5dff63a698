/**
 * Google Cloud Storage as far as we use it, after the documentation of its JSON API and of its resumable uploads.
 *
 * There is no other to be had here: Firebase's (npm) ends an upload with its first part, and needs a download that npm does not bring;
 * fake-gcs-server and gcp-storage-emulator are neither in npm nor in Debian.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Kept {
  readonly content: Buffer;
  readonly updated: string;
  readonly generation: string;
}

export interface GcsEmulator extends AsyncDisposable {
  readonly endpoint: string;
  /** How many bytes of what comes in one request it keeps at most: Google may keep less than all. */
  keepAtMost: number;
}

const granularity = 256 * 1024;
/** Google's is 1,000. */
const pageFiles = 100;

export async function startGcsEmulator(bucket: string): Promise<GcsEmulator> {
  const files = new Map<string, Kept>();
  const sessions = new Map<string, { name: string; received: Buffer[]; bytes: number }>();
  let generations = 0;
  const emulator = { endpoint: "", keepAtMost: Number.POSITIVE_INFINITY };

  const describe = (name: string, { content, updated, generation }: Kept) => ({
    kind: "storage#object",
    name,
    bucket,
    generation,
    updated,
    size: String(content.length),
    md5Hash: createHash("md5").update(content).digest("base64"),
  });

  /** PUT to a session: a part, the last one, or the question how much is there. */
  function carryOn(id: string, range: string, body: Buffer, response: ServerResponse) {
    const session = sessions.get(id);
    if (session === undefined) return answer(response, 404, "no such session");
    const [, from, total = "*"] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(range) ?? [];
    if (from !== undefined) {
      // What it has already it does not take again.
      const fresh = body.subarray(session.bytes - Number(from), emulator.keepAtMost);
      const isLast = total !== "*" && session.bytes + fresh.length === Number(total);
      const kept = isLast ? fresh : fresh.subarray(0, fresh.length - (fresh.length % granularity));
      session.received.push(kept);
      session.bytes += kept.length;
    }
    if (total !== "*" && session.bytes === Number(total)) {
      const content = Buffer.concat(session.received);
      const generation = String(++generations);
      const kept = files.get(session.name);
      const isThere = kept?.content.equals(content) ?? false;
      const updated = new Date().toISOString();
      if (!isThere) files.set(session.name, { content, updated, generation });
      return answer(response, 200, describe(session.name, files.get(session.name) as Kept));
    }
    if (session.bytes > 0) response.setHeader("range", `bytes=0-${session.bytes - 1}`);
    response.writeHead(308).end();
  }

  function list(query: URLSearchParams, response: ServerResponse): void {
    const most = Math.min(pageFiles, Number(query.get("maxResults") ?? pageFiles));
    const names = [...files.keys()]
      .sort()
      .filter((name) => name.startsWith(query.get("prefix") ?? ""))
      .filter((name) => name > (query.get("pageToken") ?? ""));
    const page = names.slice(0, most);
    answer(response, 200, {
      kind: "storage#objects",
      items: page.map((name) => describe(name, files.get(name) as Kept)),
      ...(names.length > most && { nextPageToken: page.at(-1) }),
    });
  }

  function read(name: string, range: string | undefined, response: ServerResponse) {
    const { content } = files.get(name) as Kept;
    const from = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    if (range !== undefined && from >= content.length)
      return answer(response, 416, "no such range");
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": content.length - from,
      "content-range": `bytes ${from}-${content.length - 1}/${content.length}`,
    });
    response.end(content.subarray(from));
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", emulator.endpoint);
    const body = await readAll(request);
    const [, isUpload, of, object] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/(.+))?$/.exec(pathname) ?? [];
    if (of !== bucket) return answer(response, 404, "The specified bucket does not exist.");
    const name = decodeURIComponent(object ?? "");
    if (isUpload && request.method === "PUT")
      return carryOn(query.get("id") ?? "", request.headers["content-range"] ?? "", body, response);
    if (isUpload) {
      const id = randomUUID();
      sessions.set(id, { name: query.get("name") ?? "", received: [], bytes: 0 });
      response.setHeader("location", `http://${request.headers.host}${pathname}?id=${id}`);
      return answer(response, 200, {});
    }
    if (name === "") return list(query, response);
    if (!files.has(name)) return answer(response, 404, `No such object: ${of}/${name}`);
    if (request.method === "DELETE") {
      files.delete(name);
      response.writeHead(204).end();
    } else if (query.get("alt") === "media") read(name, request.headers.range, response);
    else answer(response, 200, describe(name, files.get(name) as Kept));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  emulator.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(emulator, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  });
}

function answer(response: ServerResponse, status: number, content: object | string): void {
  const isError = typeof content === "string";
  const body = isError ? { error: { code: status, message: content } } : content;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
