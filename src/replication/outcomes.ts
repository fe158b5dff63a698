/** Plans that several rules come to. */
import type { Plan } from "./types.ts";

type Become = Extract<Plan, { kind: "become" }>;

export const becomeAlpha = (
  reason: string,
  report: "Founded" | "Restored" | "Returned",
): Become => ({
  kind: "become",
  reason,
  alpha: undefined,
  steps: [],
  report,
});

export const wait = (reason: string): Extract<Plan, { kind: "wait" }> => ({ kind: "wait", reason });
