/**
 * Which beta copies which alpha when a cluster is founded: every alpha the same number, and none on its alpha's machine if
 * that can be helped (rule 7). Pure.
 */

export interface Seatable {
  /** A name for a beta, an id for an alpha. */
  readonly key: string;
  readonly machine: string | undefined;
}

/**
 * @param alphas each with the betas that it has already.
 * @returns the alpha's key for every beta's.
 */
export function matchBetas(
  betas: readonly Seatable[],
  alphas: readonly (Seatable & { readonly count: number })[],
): ReadonlyMap<string, string> {
  const total = betas.length + alphas.reduce((sum, { count }) => sum + count, 0);
  const quota = Math.ceil(total / Math.max(1, alphas.length));
  const taken = new Map<string, Seatable[]>(alphas.map(({ key }) => [key, []]));
  const room = ({ key, count }: Seatable & { count: number }): number =>
    quota - count - (taken.get(key)?.length ?? 0);
  const byRoom = () => [...alphas].sort((a, b) => room(b) - room(a));

  // Kuhn's matching: a beta without a free alpha elsewhere asks those that sit there to move on.
  function seat(beta: Seatable, asked: Set<string>): boolean {
    for (const alpha of byRoom()) {
      if (isTogether(beta.machine, alpha.machine) || asked.has(alpha.key)) continue;
      asked.add(alpha.key);
      const sitting = taken.get(alpha.key) ?? [];
      const mover = room(alpha) > 0 ? undefined : sitting.find((other) => seat(other, asked));
      if (room(alpha) <= 0 && mover === undefined) continue;
      taken.set(alpha.key, [...(taken.get(alpha.key) ?? []).filter((one) => one !== mover), beta]);
      return true;
    }
    return false;
  }
  const left = betas.filter((beta) => !seat(beta, new Set()));
  for (const beta of left) {
    const [alpha] = byRoom();
    if (alpha) taken.set(alpha.key, [...(taken.get(alpha.key) ?? []), beta]);
  }
  return new Map([...taken].flatMap(([key, own]) => own.map((beta) => [beta.key, key] as const)));
}

/** On one machine; of which nothing is known is on none. */
export const isTogether = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && a === b;
