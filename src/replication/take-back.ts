/**
 * Goes on where a drain was killed that held writes back: a beta may be promoted that this node does not follow, and before 6.2
 * nothing else would have its writes taken again.
 */
import type { Outcome } from "../cluster/drain.ts";
import { openConnections } from "../redis/connections.ts";
import { openElectors } from "./ask-electors.ts";
import { type HandOverOptions, late } from "./attempt.ts";
import { findAlphaAmong, stepDownAfter } from "./hold-and-step-down.ts";
import { type LeftBehind, takeWrites } from "./hold-writes.ts";

/** Where a beta is promoted, this node becomes its beta first: what it took as an alpha would be lost. */
export async function takeBack(options: HandOverOptions, left: LeftBehind): Promise<Outcome> {
  const { address } = options;
  const { heldAtMs, before, betas } = left;
  const connections = openConnections(options.connect);
  const electors = openElectors(options);
  try {
    const nodes = [address, ...betas.map((beta) => beta.address)];
    const elector = await electors.find(nodes);
    const release = async () => void (await takeWrites(connections, address, before));
    const hold = { target: 0, since: performance.now() - (Date.now() - heldAtMs), release };
    if (elector?.is === "idle" && !(await findAlphaAmong(connections, betas))) {
      await release();
      return late("the drain that was killed had not asked for another alpha yet");
    }
    return await stepDownAfter({ ...options, connections, electors, elector, betas, nodes }, hold);
  } finally {
    connections.close();
    electors.close();
  }
}
