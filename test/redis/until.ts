/**
 * Waits for a condition with a deadline, and fails with what was seen last.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T> | T,
  holds: (seen: T) => boolean,
  withinMs = 30_000,
  describe: (seen: T) => string = (seen) => JSON.stringify(seen, null, 1),
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > deadline) {
      throw new Error(
        `${what} did not come true within ${withinMs} ms; last seen: ${describe(seen)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
