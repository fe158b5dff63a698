/** What the bench measures, and how it is summed up. */

export interface Sample {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

export interface Row extends Sample {
  readonly name: string;
  readonly beside: string;
  readonly unit: "ms" | "ms CPU" | "MB" | "processes" | "kB" | "keys" | "writes";
  readonly target: string;
  readonly reached: boolean;
  readonly remark?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
