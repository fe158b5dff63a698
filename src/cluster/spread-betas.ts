/**
 * An alpha without a beta, while another has one to spare (rule 7). Pure.
 *
 * Nodes that join while others leave choose by what they see, and that changes meanwhile. Redis moves spare replicas by itself
 * only to masters that have lost theirs to a failure, not to those whose replica was forgotten or promoted
 * (`clusterHandleSlaveMigration`, flag CLUSTER_NODE_MIGRATE_TO).
 */
import { compareNames } from "../address.ts";
import { countBetas } from "./choose-alphas.ts";
import { isTogether } from "./match-betas.ts";
import type { Shard } from "./shards.ts";
import { entryOf, isLeaving, type Topology } from "./topology.ts";
import type { Act, Member, Step } from "./types.ts";

/** One move a look; undefined where no alpha is alone, or nobody is to spare. */
export function spreadBetas(topology: Topology): Act | undefined {
  const orphan = topology.shards.find(
    (shard) => shard.alpha && !isLeaving(shard.alpha) && countBetas(topology, shard) === 0,
  );
  const alpha = orphan?.alpha;
  if (alpha === undefined) return undefined;
  const [richest] = [...topology.shards].sort((a, b) => staying(b).length - staying(a).length);
  const spare = richest && chooseSpare(staying(richest), alpha);
  if (spare === undefined) return undefined;
  const step: Step = { kind: "replicate", at: spare, alphaId: alpha.seen.id };
  return {
    kind: "act",
    reason: `${spare.name} goes over to ${alpha.name}, which has no beta`,
    steps: [step],
  };
}

const staying = ({ betas }: Shard): readonly Member[] => betas.filter((beta) => !isLeaving(beta));

/** One in two at least stays where it is. Another machine than the alpha's first, then the last by name. */
function chooseSpare(betas: readonly Member[], alpha: Member): Member | undefined {
  if (betas.filter(({ seen }) => seen.inSync).length < 2) return undefined;
  const isNear = ({ pod }: Member) =>
    isTogether(alpha.pod?.kubernetesNode, pod?.kubernetesNode) ? 1 : 0;
  return betas
    .filter((beta) => entryOf(beta, alpha.seen.id)?.address !== undefined)
    .sort((a, b) => isNear(a) - isNear(b) || compareNames(b.name, a.name))[0];
}
