/** How long to wait before the next look: quick at first, when peers are a moment away; once a second after a minute. */
export const pauseMs = (waitedMs: number): number => Math.min(1_000, Math.max(20, waitedMs / 50));
