/**
 * The way to a store in the network: what is tried again, for how long, and how its troubles are told. One for both kinds.
 */
import { isRekindleError } from "../errors.ts";
import { type Persistence, persist } from "./persist.ts";
import { type Opened, readOn } from "./resume.ts";
import type { StoreSettings } from "./settings.ts";
import { canPass, explainTrouble, type Seen, type StoreWords } from "./trouble.ts";

/**
 * A store that moves less counts as stuck. There is no timer for a connection on which nothing moves: the last megabytes of a request wait
 * in the kernel, unseen, and on a slow line that takes long.
 */
const bytesASecondMin = 128 * 1024;

export interface Effort {
  /** That the request has the store move. */
  readonly bytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Carries out a request on a file until it is done.
 *
 * @param bytes that it has the store move.
 * @param stop ends it, beside what ends the whole file.
 * @throws RekindleError where that does not come about, the signal's reason where that is aborted.
 */
export type Persist = <T>(
  request: (signal: AbortSignal) => Promise<T>,
  bytes?: number,
  stop?: AbortSignal,
) => Promise<T>;

export interface Link {
  /** How long an answer may take, and how long a download may bring nothing. */
  readonly idleMs: number;
  /** @throws RekindleError where it does not come about, the signal's reason where that is aborted. */
  persist<T>(
    request: (signal: AbortSignal) => Promise<T>,
    name: string,
    effort: Effort,
  ): Promise<T>;
  read(
    name: string,
    open: (offset: number, signal: AbortSignal) => Promise<Opened>,
    signal?: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

/** @param see what something that was thrown means. */
export function createLink(
  settings: Partial<StoreSettings>,
  see: (thrown: unknown) => Seen,
  words: Omit<StoreWords, "endpoint">,
): Link {
  const patienceMs = settings.storePatience ?? 60_000;
  const idleMs = Math.min(20_000, patienceMs);
  const persistence = (signal: AbortSignal | undefined): Persistence => ({
    patienceMs,
    signal,
    canPass: (thrown) => !isOwn(thrown) && canPass(see(thrown)),
  });
  const explain = (thrown: unknown, name: string, signal: AbortSignal | undefined): unknown =>
    signal?.aborted
      ? signal.reason
      : isOwn(thrown)
        ? thrown
        : explainTrouble(see(thrown), { ...words, endpoint: settings.storeEndpoint }, name);

  return {
    idleMs,
    async persist(request, name, { bytes = 0, signal }) {
      const attemptMs = idleMs + (bytes / bytesASecondMin) * 1_000;
      try {
        return await persist(request, persistence(signal), attemptMs);
      } catch (thrown) {
        throw explain(thrown, name, signal);
      }
    },
    async *read(name, open, signal) {
      try {
        yield* readOn(open, persistence(signal), idleMs);
      } catch (thrown) {
        throw explain(thrown, name, signal);
      }
    },
  };
}

/** Said already, or a defect of ours: what a store or its client throws has a code, a cause, or is a plain error. */
const isOwn = (thrown: unknown): boolean =>
  isRekindleError(thrown) ||
  ((thrown instanceof TypeError || thrown instanceof ReferenceError) &&
    thrown.cause === undefined &&
    !("$metadata" in thrown) &&
    !("code" in thrown));
