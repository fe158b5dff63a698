/**
 * An application in front of Redis, as an ordinary careful user writes it: each request counts a visit and answers with the count, or
 * with 503 where Redis does not take it in time. What ioredis does by default it does here; the two settings are those that README
 * tells clients.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Cluster } from "ioredis";

const pages = 1_000;
const requestTimeoutMs = 5_000;
const password = readFileSync("/etc/redis-secret/password", "utf8").trim();

const client = new Cluster([{ host: "redis", port: 6379 }], {
  // A pod that is gone refuses nothing: by default ioredis would wait ten seconds for it.
  redisOptions: { password, connectTimeout: 1_000 },
});
client.on("error", () => {}); // Told by the requests that fail for it.

let isReady = false;
client.once("ready", () => {
  isReady = true;
});

const server = createServer(async (request, response) => {
  if (request.url === "/ready") {
    response.writeHead(isReady ? 200 : 503).end();
    return;
  }
  try {
    const visits = await withinTime(client.incr(`visits:${Math.floor(Math.random() * pages)}`));
    // Both answers are of one length: another than that of the first ab takes for a failure.
    response.end(`visit number ${String(visits).padStart(12)}\n`);
  } catch (thrown) {
    console.log(`${new Date().toISOString()} 503: ${(thrown as Error).message}`);
    response.writeHead(503).end(`${"try again later".padEnd(25)}\n`);
  }
});
server.listen(8080);

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer in time")), requestTimeoutMs);
  return Promise.race([answer, promise]).finally(() => clearTimeout(timer));
}

// The preStop hook has waited until the Service sends nothing more; what is under way is finished.
process.once("SIGTERM", () => server.close(() => client.disconnect()));
