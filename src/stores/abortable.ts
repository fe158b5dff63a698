/** The same chunks, until the signal is aborted: also while the next one does not come. */
export async function* abortable(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const chunks = content[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const { value, done } = await unlessAborted(chunks.next(), signal);
      isOver = done === true;
      if (isOver) return;
      yield value;
    }
  } finally {
    // Not waited for: what does not go on does not end either.
    if (!isOver) void Promise.resolve(chunks.return?.()).catch(() => {});
  }
}

/** One listener for each wait: a promise that outlives them all would keep every one of them. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
