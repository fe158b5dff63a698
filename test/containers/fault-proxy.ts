/**
 * Stands before a store and does to its requests what networks and busy servers do.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  request as send,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Transform } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

export type Fault =
  | "none"
  /** Answers so, without the store's knowing. */
  | { readonly status: number; readonly code: string }
  /** Takes this much of a request, and resets the connection. */
  | { readonly resetAfter: number }
  /** Gives this much of the answer, and resets the connection. */
  | { readonly breakAfter: number }
  /** Lets the store do it, and keeps its answer. */
  | "lose answer"
  | "flip a bit"
  | "hang"
  | "reset"
  | { readonly bytesASecond: number };

export interface FaultProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** What came, in order: "PUT /bucket/key?partNumber=1". */
  readonly seen: string[];
}

/** @param choose what happens to a request, by what it is and how many came before it. */
export async function startFaultProxy(
  target: { readonly host: string; readonly port: number },
  choose: (request: IncomingMessage, index: number) => Fault,
): Promise<FaultProxy> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    const fault = choose(request, seen.length);
    seen.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trim());
    void carry(target, request, response, fault);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function carry(
  target: RequestOptions,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault,
): Promise<void> {
  if (fault === "hang") return;
  if (fault === "reset") {
    request.socket.resetAndDestroy();
    return;
  }
  if (typeof fault === "object" && "status" in fault) {
    request.resume();
    await new Promise((resolve) => request.once("end", resolve));
    response.writeHead(fault.status, { "content-type": "application/xml" });
    response.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code></Error>`);
    return;
  }
  const { method, url: path, headers } = request;
  const onward = send({ ...target, method, path, headers });
  onward.on("error", () => request.socket.destroy());
  onward.on("response", (answer) => {
    if (fault === "lose answer") {
      answer.resume().once("end", () => request.socket.resetAndDestroy());
      return;
    }
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    const isBroken = typeof fault === "object" && "breakAfter" in fault;
    const passed = isBroken ? answer.pipe(cut(fault.breakAfter, request)) : answer;
    passed.pipe(response);
  });
  if (fault === "flip a bit") request.pipe(flip()).pipe(onward);
  else if (typeof fault === "object" && "resetAfter" in fault)
    request.pipe(cut(fault.resetAfter, request)).pipe(onward);
  else if (typeof fault === "object" && "bytesASecond" in fault)
    request.pipe(slow(fault.bytesASecond)).pipe(onward);
  else request.pipe(onward);
}

/** Passes so many bytes; then the client's connection is reset. */
function cut(bytes: number, { socket }: IncomingMessage): Transform {
  let left = bytes;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      // What was passed shall arrive before the reset does.
      if (left === 0) setTimeout(() => socket.resetAndDestroy(), 50);
      done(null, passed);
    },
  });
}

function flip(): Transform {
  let isDone = false;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (!isDone) chunk[0] = (chunk[0] ?? 0) ^ 1;
      isDone = true;
      done(null, chunk);
    },
  });
}

const slow = (bytesASecond: number): Transform =>
  new Transform({
    highWaterMark: 16 * 1024,
    async transform(chunk: Buffer, _, done) {
      await pause((chunk.length / bytesASecond) * 1_000);
      done(null, chunk);
    },
  });
