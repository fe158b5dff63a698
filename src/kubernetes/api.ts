/**
 * Requests to the Kubernetes API: JSON over one kept connection, a deadline on each.
 *
 * Not through @kubernetes/client-node: loading it costs more CPU time than everything else in a boot together, and more
 * memory than a resident healer may have. It serves where that does not matter.
 */
import { Agent, type RequestOptions, request } from "node:https";
import { codeOf, messageOf, RekindleError } from "../errors.ts";
import type { Access } from "./access.ts";

export interface Api {
  /** For messages. */
  readonly server: string;
  readonly namespace: string;
  /** @throws ApiError for an answer that is not a success, or a system error where there is none. */
  send<T>(method: Method, path: string, body?: unknown): Promise<T>;
  /**
   * Reads a watch until the server ends it.
   *
   * @throws ApiError also for an error that comes in the stream, such as 410.
   */
  watch(path: string, onEvent: (event: WatchEvent) => void): Promise<void>;
  close(): void;
}

type Method = "GET" | "POST" | "PUT" | "PATCH";

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: unknown;
}

/** The server's answer to a request that it did not carry out. */
export class ApiError extends Error {
  readonly status: number;
  /** What a 429 or 503 asks for. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, retryAfterMs?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

const requestDeadlineMs = 5_000;

/** How long a watch is asked to last; soon enough to notice that a middle box has dropped it. */
export const watchSeconds = 60;

export function openApi(access: Access): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, scheduling: "lifo" });
  const options = (method: string, path: string): RequestOptions => ({
    host: access.server.hostname.replace(/^\[|\]$/g, ""),
    port: access.server.port || 443,
    path: `${access.server.pathname.replace(/\/$/, "")}${path}`,
    method,
    agent,
    ca: access.ca,
    rejectUnauthorized: !access.insecure,
    headers: {
      authorization: `Bearer ${access.readToken()}`,
      accept: "application/json",
      "user-agent": "rekindle",
    },
  });

  return {
    server: access.server.origin,
    namespace: access.namespace,
    async send<T>(method: Method, path: string, body?: unknown): Promise<T> {
      let text = "";
      await exchange(options(method, path), body, requestDeadlineMs, (part) => {
        text += part;
      });
      return JSON.parse(text) as T;
    },
    async watch(path, onEvent) {
      const lines = createLineReader((line) => {
        const event = JSON.parse(line) as WatchEvent;
        if (event.type === "ERROR") throw errorOf(event.object, 500, undefined);
        onEvent(event);
      });
      await exchange(options("GET", path), undefined, (watchSeconds + 5) * 1_000, lines);
    },
    close: () => agent.destroy(),
  };
}

/** Sends, and hands out the answer's text as it comes. */
function exchange(
  options: RequestOptions,
  body: unknown,
  deadlineMs: number,
  onText: (part: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (answer) => {
      const status = answer.statusCode ?? 0;
      const isSuccess = status >= 200 && status < 300;
      let refusal = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        try {
          if (isSuccess) onText(part);
          else refusal += part;
        } catch (thrown) {
          // Destroyed after its last byte, a request tells no error of its own.
          failed(thrown as Error);
          sent.destroy();
        }
      });
      answer.on("end", () => {
        clearTimeout(timer);
        if (isSuccess) resolve();
        else reject(errorOf(refusal, status, answer.headers["retry-after"]));
      });
      answer.on("error", failed);
    });
    const timer = setTimeout(
      () =>
        sent.destroy(
          Object.assign(new Error(`no answer within ${deadlineMs} ms`), { code: "ETIMEDOUT" }),
        ),
      deadlineMs,
    );
    function failed(thrown: Error): void {
      clearTimeout(timer);
      reject(thrown);
    }
    sent.on("error", failed);
    if (body === undefined) sent.end();
    else sent.setHeader("content-type", contentType(options)).end(JSON.stringify(body));
  });
}

/** A patch holds what changes and nothing else (RFC 7386). */
const contentType = ({ method }: RequestOptions): string =>
  method === "PATCH" ? "application/merge-patch+json" : "application/json";

function createLineReader(onLine: (line: string) => void): (part: string) => void {
  let rest = "";
  return (part) => {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
  };
}

/** From a `Status` object, as JSON text or as it is in a watch; a proxy in between may have answered anything else. */
function errorOf(body: unknown, status: number, retryAfter: string | undefined): ApiError {
  let said: { code?: number; message?: string } = {};
  try {
    said = typeof body === "string" ? JSON.parse(body) : (body as typeof said);
  } catch {
    // Its status is all that is known.
  }
  const seconds = Number(retryAfter);
  return new ApiError(
    said.code ?? status,
    said.message ?? `HTTP status ${status}`,
    seconds > 0 ? seconds * 1_000 : undefined,
  );
}

/** What went wrong with the API server, in words. */
export function describeTrouble(api: Api, thrown: unknown): string {
  if (thrown instanceof ApiError)
    return `the API server ${api.server} answers ${thrown.status}: ${thrown.message}`;
  return `the API server ${api.server} does not answer: ${messageOf(thrown)}`;
}

/** Certificate faults of node:tls by their codes; waiting mends none of them. */
const certificateCodes =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL_)/;

/**
 * The fault that only a person mends, with what to change; undefined for one that passes.
 *
 * @param rule what the Role must hold for this request: `get pods`.
 */
export function asLastingFault(api: Api, thrown: unknown, rule: Rule): RekindleError | undefined {
  if (!(thrown instanceof ApiError)) {
    if (!certificateCodes.test(codeOf(thrown) ?? "")) return undefined;
    return new RekindleError(
      "configuration",
      `the certificate of the API server ${api.server} is not trusted: ${messageOf(thrown)}`,
      {
        hint: "name the authority that signs it with --api-ca, and the server as its certificate does",
        cause: thrown,
      },
    );
  }
  if (thrown.status === 401) {
    return new RekindleError("configuration", `the API server ${api.server} refuses our token`, {
      hint: "check the service account, TOKEN or --api-token-file",
      cause: thrown,
    });
  }
  if (thrown.status !== 403) return undefined;
  return new RekindleError(
    "configuration",
    `this service account may not ${rule.verb} ${rule.resource} in the namespace ${api.namespace}`,
    {
      hint: `add to its Role: apiGroups ["${rule.group}"], resources ["${rule.resource}"], verbs ["${rule.verb}"]`,
      cause: thrown,
    },
  );
}

export interface Rule {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch";
  readonly group: "" | "apps" | "coordination.k8s.io" | "policy";
  readonly resource: string;
}
