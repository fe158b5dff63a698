/** `rekindle sidecar --metrics`: what it serves, whatever the exporter beside it does. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openRoom, type Running } from "./commands-under-test.ts";
import { until } from "./until.ts";

const [port, exporterPort] = [21_600, 21_601];
const kept = `rekindle_reports_total{verb="cluster",report="Joined"} 3\n`;

function makeFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "rekindle-sidecar-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "rekindle-cluster.prom"), kept);
  return dir;
}

async function startSidecar(...more: readonly string[]): Promise<Running> {
  const at = ["--metrics", `127.0.0.1:${port}`, "--dir", makeFolder()];
  const sidecar = openRoom().start("sidecar", ...at, ...more);
  await until(
    "an answer",
    () => ask("/").catch(() => undefined),
    (answer) => answer !== undefined,
  );
  return sidecar;
}

const ask = (path: string, method = "GET") =>
  fetch(`http://127.0.0.1:${port}${path}`, { method, signal: AbortSignal.timeout(15_000) });
const read = async (): Promise<string> => (await ask("/metrics")).text();

/** In the place of an exporter, for what the real one does not do when asked to. */
function openExporter(answer: (response: ServerResponse) => void): void {
  const server: Server = createServer((_, response) => answer(response));
  server.listen(exporterPort, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
}

const exporter = ["--exporter", `http://127.0.0.1:${exporterPort}/metrics`];

test("it serves what is kept in the folder, to GET /metrics only, until SIGTERM", async () => {
  const sidecar = await startSidecar();
  expect(await read()).toContain(kept);
  expect(await read()).toContain('rekindle_build_info{verb="sidecar"');
  expect(await read()).not.toContain("rekindle_exporter_up");
  expect((await ask("/metrics?x=1")).headers.get("content-type")).toMatch(/^text\/plain/);
  expect([(await ask("/metrics", "POST")).status, (await ask("/")).status]).toEqual([405, 404]);
  sidecar.process.kill("SIGTERM");
  expect((await sidecar.finished).exitCode).toBe(0);
});

test("what the exporter says is passed on as it is", async () => {
  openExporter((response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end("redis_up 1");
  });
  await startSidecar(...exporter);
  expect(await read()).toMatch(/rekindle_exporter_up 1\nredis_up 1\n$/);
});

test.each<[string, ((response: ServerResponse) => void) | undefined, RegExp]>([
  ["is away", undefined, /# the exporter: .*ECONNREFUSED/],
  ["hangs", () => {}, /# the exporter: no answer within 8000 ms/],
  [
    "stops in the middle",
    (response) => response.writeHead(200, { "content-type": "text/plain" }).write("redis_up"),
    /# the exporter: no answer within/,
  ],
  [
    "is something else",
    (response) => response.end("<html>"),
    /# the exporter: it answers 200 , not metrics/,
  ],
  [
    "fails",
    (response) => response.writeHead(500, { "content-type": "text/plain" }).end("x"),
    /# the exporter: it answers 500/,
  ],
])("an exporter that %s takes nothing with it", async (_, answer, said) => {
  if (answer) openExporter(answer);
  await startSidecar(...exporter);
  const text = await read();
  expect(text).toContain(kept);
  expect(text).toMatch(/^rekindle_exporter_up 0$/m);
  expect(text).toMatch(said);
});

test.each([
  [[], 64, /told to do nothing.*--heal, --reload, --metrics, --backup or some of them/],
  [
    ["--heal", "--peers=127.0.0.1:1", ...exporter],
    64,
    /nothing is served.*say where with --metrics/,
  ],
  [
    ["--metrics=redis:9123"],
    64,
    /--metrics is .*redis:9123.*, expected a port, or an address and a port/,
  ],
  [["--metrics=0"], 64, /--metrics is .*0.*, expected a port/],
  [["--metrics=9123", "--exporter=localhost:9121"], 64, /--exporter is .*expected a URL as http:/],
  [
    ["--metrics=9123", "--dir=/nowhere"],
    78,
    /\/nowhere cannot be read.*name the node's data folder/,
  ],
])("it refuses %j", async (args, exit, message) => {
  const { exitCode, stderr } = await openRoom().run("sidecar", "--log-format=json", ...args);
  expect(stderr).toMatch(message);
  expect(exitCode).toBe(exit);
});

test("a port that is in use is named", async () => {
  openExporter(() => {});
  const args = [`--metrics=127.0.0.1:${exporterPort}`, `--dir=${makeFolder()}`];
  const { exitCode, stderr } = await openRoom().run("sidecar", ...args);
  expect(stderr).toMatch(/127.0.0.1:21601 cannot serve metrics.*EADDRINUSE.*--metrics/);
  expect(exitCode).toBe(78);
});
