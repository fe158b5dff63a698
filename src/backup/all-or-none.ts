/**
 * Work that is only worth something when all of it is done.
 *
 * @param work gets a signal that ends it when another part has failed.
 * @throws what the first that failed has thrown, once all have ended.
 */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  work: (item: T, index: number, signal: AbortSignal) => Promise<R>,
): Promise<readonly R[]> {
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const runs = items.map((item, index) =>
    work(item, index, both).catch((thrown: unknown) => {
      stop.abort(thrown);
      throw thrown;
    }),
  );
  await Promise.allSettled(runs);
  signal?.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  return Promise.all(runs);
}
