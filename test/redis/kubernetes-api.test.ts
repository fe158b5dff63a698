/**
 * How requests to the Kubernetes API travel: over TLS, in pieces, with a deadline. What the API means is tested on a real one; this server
 * only says what a real one cannot be made to say.
 */
import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Api,
  ApiError,
  asLastingFault,
  openApi,
  type WatchEvent,
} from "../../src/kubernetes/api.ts";

const { key, cert } = makeCertificate();
const tokens: string[] = [];
let server: Server;
let api: Api;

function makeCertificate(): { key: string; cert: string } {
  const args =
    "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout - -out -";
  const pem = execFileSync("openssl", args.split(" "), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const part = (name: string) =>
    new RegExp(`-----BEGIN ${name}[\\s\\S]*END ${name}-----`).exec(pem)?.[0] ?? "";
  return { key: part("PRIVATE KEY"), cert: part("CERTIFICATE") };
}

const open = (ca: string | undefined, insecure = false): Api =>
  openApi({
    server: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
    namespace: "here",
    pod: "me",
    ca: ca === undefined ? undefined : Buffer.from(ca),
    insecure,
    readToken: () => `token-${tokens.length}`,
  });

beforeAll(async () => {
  server = createServer({ key, cert }, (asked, answer) => {
    tokens.push(asked.headers.authorization ?? "");
    const pod = (name: string) => JSON.stringify({ type: "ADDED", object: { metadata: { name } } });
    switch (asked.url) {
      case "/pieces": {
        const text = `${pod("one")}\n${pod("two")}\n`;
        answer.write(text.slice(0, 20));
        setTimeout(() => answer.end(text.slice(20)), 50);
        break;
      }
      case "/gone":
        answer.end(
          `${pod("one")}\n{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}\n`,
        );
        break;
      case "/busy":
        answer
          .writeHead(429, { "retry-after": "2" })
          .end('{"kind":"Status","code":429,"message":"slow down"}');
        break;
      case "/proxy":
        answer.writeHead(502).end("<html>bad gateway</html>");
        break;
      default:
        answer.end('{"kind":"Fine"}');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  api = open(cert);
});
afterAll(() => {
  api.close();
  server.closeAllConnections();
  server.close();
});

const refusal = (path: string) => api.send("GET", path).catch((thrown: unknown) => thrown);

describe("requests to the Kubernetes API", () => {
  it("carry the token as it is now, not as it was", async () => {
    tokens.length = 0;
    await api.send("GET", "/one");
    await api.send("GET", "/two");
    expect(tokens).toEqual(["Bearer token-0", "Bearer token-1"]);
  });

  it("put a watch together that comes in pieces", async () => {
    const seen: WatchEvent[] = [];
    await api.watch("/pieces", (event) => seen.push(event));
    expect(seen.map(({ object }) => object)).toEqual([
      { metadata: { name: "one" } },
      { metadata: { name: "two" } },
    ]);
  });

  it("end a watch with the error that comes in its stream", async () => {
    const thrown = await api.watch("/gone", () => {}).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ApiError);
    expect(thrown).toMatchObject({ status: 410, message: "too old" });
  });

  it("tell how long a busy server wants to be left alone", async () => {
    expect(await refusal("/busy")).toMatchObject({ status: 429, retryAfterMs: 2_000 });
  });

  it("take an answer that is not Kubernetes' by its status", async () => {
    expect(await refusal("/proxy")).toMatchObject({ status: 502, message: "HTTP status 502" });
  });

  it("trust nobody whom the authority did not sign, unless told to", async () => {
    const strict = open(undefined);
    const thrown = await strict.send("GET", "/").catch((error: unknown) => error);
    const rule = { verb: "list", group: "", resource: "pods" } as const;
    expect(asLastingFault(strict, thrown, rule)?.message).toMatch(
      /the certificate of the API server \S+ is not trusted/,
    );
    strict.close();
    const loose = open(undefined, true);
    expect(await loose.send("GET", "/")).toEqual({ kind: "Fine" });
    loose.close();
  });
});
