/** A server of a set under Sentinel, as the nodes see it. */
import type { RunningServer } from "../../src/replication/types.ts";

/** A beta in sync that has written nothing by itself, unless told otherwise. */
export const runningServer = (runId: string, more: Partial<RunningServer> = {}): RunningServer => ({
  state: "server",
  runId,
  role: "beta",
  offset: 1_000,
  keys: 10,
  history: "",
  backlogFrom: 0,
  formerHistory: { id: "", endsAt: -1 },
  betas: [],
  alphaAt: undefined,
  inSync: true,
  ...more,
});
