/**
 * Tries again what a store did not do, for as long as its patience lasts, and gives each attempt a deadline.
 */
import pRetry from "p-retry";

export interface Persistence {
  /** Without anything done. */
  readonly patienceMs: number;
  /** Whether another attempt may help. */
  readonly canPass: (thrown: unknown) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What an attempt is that got no answer. */
export class Late extends Error {
  readonly code = "ETIMEDOUT";
}

/** @throws what the last attempt threw, or the signal's reason. */
export function persist<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  { patienceMs, canPass, signal }: Persistence,
  attemptMs: number,
): Promise<T> {
  return pRetry(() => withinTime(attempt, attemptMs, signal), {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 200,
    maxTimeout: 5_000,
    factor: 2,
    randomize: true,
    // What takes long has a second attempt, too.
    maxRetryTime: patienceMs + attemptMs,
    shouldRetry: ({ error }) => canPass(error),
    ...(signal && { signal }),
  });
}

/** Aborts it when the time is up; where that does nothing, it goes on unheard. */
export async function withinTime<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  attemptMs: number,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const own = new AbortController();
  const stop = (): void => own.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(
    () => own.abort(new Late(`no answer within ${Math.round(attemptMs / 1_000)} s`)),
    attemptMs,
  );
  try {
    const aborted = new Promise<never>((_, reject) => {
      own.signal.addEventListener("abort", () => reject(own.signal.reason), { once: true });
    });
    return await Promise.race([attempt(own.signal), aborted]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
