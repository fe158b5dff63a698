/**
 * GET /metrics: Rekindle's own figures, and after them what an exporter says, so that one port is scraped for both.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import { formatAddress } from "../address.ts";
import { messageOf, RekindleError } from "../errors.ts";
import { askExporter } from "./ask-exporter.ts";
import { renderSeries, type Series } from "./series.ts";

export interface Listen {
  /** Undefined: all addresses of this machine. */
  readonly ip: string | undefined;
  readonly port: number;
}

export interface ServeOptions {
  readonly listen: Listen;
  /** Whose metrics are passed on. */
  readonly exporter: URL | undefined;
  readonly series: () => Series;
}

/** Less than Prometheus' own ten seconds: an exporter that hangs must not take our figures with it. More than the exporter's five. */
const exporterDeadlineMs = 8_000;
const requestDeadlineMs = 5_000;
const connectionsMax = 32;
const plainText = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };

/** @throws RekindleError where the port is not to be had. */
export async function serveMetrics(options: ServeOptions): Promise<Server> {
  const gather = shareRuns(() => render(options));
  const deadlines = { requestTimeout: requestDeadlineMs, headersTimeout: requestDeadlineMs };
  const server = createServer(deadlines, ({ method, url = "" }, response) => {
    if (url.split("?")[0] !== "/metrics") answer(response, 404, "GET /metrics\n");
    else if (method !== "GET") answer(response, 405, "GET only\n", { allow: "GET" });
    else gather().then((text) => answer(response, 200, text));
  });
  server.maxConnections = connectionsMax;
  await listen(server, options.listen);
  return server;
}

function answer(response: ServerResponse, status: number, text: string, headers = {}): void {
  response.writeHead(status, { ...plainText, ...headers });
  response.end(text);
}

function listen(server: Server, { ip, port }: Listen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const at = ip === undefined ? `port ${port}` : formatAddress({ ip, port });
      reject(
        new RekindleError("configuration", `${at} cannot serve metrics: ${messageOf(cause)}`, {
          hint: "choose another address or port with --metrics",
          cause,
        }),
      );
    });
    server.listen({ host: ip, port }, resolve);
  });
}

/** Many who ask at once are one question to the exporter. */
function shareRuns<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
}

async function render({ exporter, series }: ServeOptions): Promise<string> {
  if (exporter === undefined) return renderSeries(series());
  let passedOn = "";
  let isUp = 0;
  try {
    passedOn = await askExporter(exporter, exporterDeadlineMs);
    isUp = 1;
  } catch (thrown) {
    passedOn = `# the exporter: ${messageOf(thrown)}\n`;
  }
  return renderSeries(new Map([...series(), ["rekindle_exporter_up", isUp]])) + passedOn;
}
