/**
 * What an exporter says right now, as text to pass on.
 */
import { get, type IncomingMessage } from "node:http";

const bytesMax = 16_000_000;

/** @throws Error where it does not give its metrics in time. */
export async function askExporter(url: URL, deadlineMs: number): Promise<string> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    const response = await request(url, signal);
    const type = response.headers["content-type"] ?? "";
    if (response.statusCode !== 200 || !type.startsWith("text/plain")) {
      response.destroy();
      throw new Error(`it answers ${response.statusCode} ${type}, not metrics`);
    }
    return await readText(response);
  } catch (thrown) {
    if (signal.aborted) throw new Error(`no answer within ${deadlineMs} ms`);
    throw thrown;
  }
}

function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Without a pool: a connection that is kept may be one to a process that has ended.
    get(url, { agent: false, signal, headers: { accept: "text/plain" } }, resolve).once(
      "error",
      reject,
    );
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`it says more than ${bytesMax} bytes`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
