/**
 * Numbers as people read them.
 */

/** `12345` → `12,345`. */
export const formatCount = (count: number): string => count.toLocaleString("en-US");

const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** `1.6 MB`; a thousand to the unit. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
