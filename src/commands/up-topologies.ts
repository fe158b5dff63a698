/**
 * What `rekindle up` starts, says and exercises in its own way for each topology.
 */
import { slotCount } from "../cluster/nodes.ts";
import { runClusterExercise } from "../local/exercise-cluster.ts";
import { runSetExercise } from "../local/exercise-set.ts";
import { type LocalCluster, startLocalCluster } from "../local/local-cluster.ts";
import type { LocalNode, LocalServers } from "../local/local-servers.ts";
import { type LocalSet, startLocalSet } from "../local/local-set.ts";
import type { UpSettings } from "../local/settings.ts";
import type { LocalOptions } from "../local/start.ts";
import type { SetStatus } from "../status/describe-set.ts";
import type { Shown, Status } from "../status/describe-status.ts";
import { renderSet } from "../status/render-set.ts";
import { type RenderOptions, renderStatus } from "../status/render-status.ts";

export interface Show<L extends LocalServers<S>, S extends Shown> {
  start(options: LocalOptions): Promise<L>;
  /** What is being made. */
  aim(local: L): string;
  /** How far it is. */
  progress(status: S, local: L): string;
  render(status: S, options: RenderOptions): string;
  sentinels(local: L): readonly LocalNode[];
  /** What programs need besides its nodes. */
  describe(local: L): object;
  /** How clients find it, where the picture does not tell. */
  hint?(local: L): string;
  exercise(local: L, environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number>;
}

export const showCluster = ({
  nodes,
  replicas,
  nodeTimeout: nodeTimeoutMs,
}: UpSettings): Show<LocalCluster, Status> => ({
  start: (options) => startLocalCluster({ ...options, nodes, replicas, nodeTimeoutMs }),
  aim: (cluster) => `founding a cluster of ${cluster.nodes.length} nodes`,
  progress(status, cluster) {
    const okay = status.shards
      .flatMap((shard) => [shard.alpha, ...shard.betas])
      .filter(isOk).length;
    return `${status.nodes} of ${cluster.nodes.length} nodes answer, ${status.slotsServed} of ${slotCount} slots assigned, ${okay} nodes ok`;
  },
  render: renderStatus,
  sentinels: () => [],
  describe: ({ seeds, nodes, natMap = {} }) => ({ seeds, nodes, natMap }),
  exercise: runClusterExercise,
});

export const showSet = ({
  nodes,
  downAfter: downAfterMs,
}: UpSettings): Show<LocalSet, SetStatus> => ({
  start: (options) => startLocalSet({ ...options, nodes, downAfterMs }),
  aim: (set) => `starting ${set.nodes.length} nodes and ${set.sentinels.length} Sentinels`,
  progress(status, set) {
    const alpha = status.alpha ? `${status.alpha.name} is the alpha` : "no alpha yet";
    const watching = status.sentinels.filter((one) => one.alpha !== undefined).length;
    return `${status.nodes} of ${set.nodes.length} nodes answer, ${alpha}, ${status.betas.filter(isOk).length} betas in sync, ${watching} of ${set.sentinels.length} Sentinels watch it`;
  },
  render: renderSet,
  sentinels: (set) => set.sentinels,
  describe: ({ clientOptions, nodes, sentinels }) => ({
    set: clientOptions.name,
    seeds: clientOptions.sentinels,
    nodes,
    sentinels,
    natMap: clientOptions.natMap ?? {},
  }),
  hint({ clientOptions: { sentinels, name } }) {
    const places = sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
    return `clients ask the Sentinels ${places} for ${name}`;
  },
  exercise: runSetExercise,
});

const isOk = ({ state }: Status["shards"][number]["alpha"]): boolean => state === "ok";
