/** Chance that is the same for the same seed: mulberry32, 32 bits of state. */
export interface Random {
  /** From 0 up to 1, without 1. */
  fraction(): number;
  /** A whole number, both ends included. */
  between(from: number, to: number): number;
  pick<T>(from: readonly T[]): T;
  /** By weight: the sum need not be one. */
  weighted<T>(from: readonly (readonly [T, number])[]): T;
  shuffled<T>(items: readonly T[]): readonly T[];
  chance(probability: number): boolean;
}

export function createRandom(seed: number): Random {
  // Neighbouring seeds are far apart.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const between = (from: number, to: number): number =>
    from + Math.floor(fraction() * (to - from + 1));
  const pick = <T>(from: readonly T[]): T => from[between(0, from.length - 1)] as T;
  return {
    fraction,
    between,
    pick,
    weighted(from) {
      const total = from.reduce((sum, [, weight]) => sum + weight, 0);
      let left = fraction() * total;
      for (const [item, weight] of from) {
        left -= weight;
        if (left < 0) return item;
      }
      return (from.at(-1) as (typeof from)[number])[0];
    },
    shuffled(items) {
      const rest = [...items];
      return items.map(() => rest.splice(between(0, rest.length - 1), 1)[0] as (typeof items)[0]);
    },
    chance: (probability) => fraction() < probability,
  };
}
