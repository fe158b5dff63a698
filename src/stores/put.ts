/** One PUT. Not by fetch, which copies what it sends: a part is megabytes. */
import { type IncomingHttpHeaders, request as overHttp } from "node:http";
import { request as overHttps } from "node:https";

export interface PutAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export function put(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  signal: AbortSignal,
): Promise<PutAnswer> {
  const send = url.startsWith("https:") ? overHttps : overHttp;
  const options = {
    method: "PUT",
    headers: { ...headers, "content-length": body.length },
    signal,
  };
  return new Promise((resolve, reject) => {
    const request = send(url, options, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }),
      );
    });
    request.once("error", reject);
    request.end(body);
  });
}
