/** What an answer of Google Cloud Storage, or an error of its client, means. */
import { type Seen, seeNetwork, seeStatus } from "./trouble.ts";

/** An answer to what is sent without the client's help. */
export class Answered extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`answered ${status}`);
    this.status = status;
  }
}

const noCredentials =
  /default credentials|not exist, or it is not a file|refresh access token|GOOGLE_APPLICATION_CREDENTIALS/;
const badCredentials = /invalid_grant|invalid_client|invalid_scope|DECODER routines|PEM routines/;

export function seeGcs(thrown: unknown): Seen {
  const { code, status, message, errors } = thrown as {
    code?: unknown;
    status?: unknown;
    message: string;
    errors?: readonly { reason?: string }[];
  };
  const answered = [status, code, Number(code)].find(
    (one): one is number => typeof one === "number" && one >= 100 && one < 600,
  );
  if (answered === undefined) {
    // Their texts are only looked at: a key file's content may be in them.
    if (badCredentials.test(message)) return { trouble: "credentials", detail: "" };
    if (noCredentials.test(message)) return { trouble: "no credentials", detail: "" };
    return seeNetwork(thrown) ?? { trouble: "away", detail: "no valid answer" };
  }
  const reason = errors?.[0]?.reason ?? "";
  const seen = seeStatus(answered, reason);
  if (/rateLimit/i.test(reason)) return { ...seen, trouble: "away" };
  if (badCredentials.test(message)) return { ...seen, trouble: "credentials" };
  const isBucket = seen.trouble === "no file" && /specified bucket does not exist/i.test(message);
  return isBucket ? { ...seen, trouble: "no bucket" } : seen;
}
