/**
 * What is not whole in a test's set under Sentinel, and what helps. Pure.
 */
import { formatEndpoint } from "../address.ts";
import type { HostPort } from "./ground.ts";

export interface NodeSight {
  readonly name: string;
  readonly at: HostPort;
  /** Why it does not answer; undefined where it does. */
  readonly silent: string | undefined;
  /** Whom it copies; undefined for an alpha. */
  readonly alpha: HostPort | undefined;
  readonly linkUp: boolean;
  /** The ports of those that it sends what is written. */
  readonly fed: readonly number[];
}

export interface SentinelSight {
  readonly name: string;
  readonly silent: string | undefined;
  /** Undefined where it watches nobody. */
  readonly alpha: HostPort | undefined;
  readonly betas: readonly HostPort[];
  readonly others: readonly HostPort[];
}

/** Everybody who runs, and whom they may know besides. */
export interface SetSight {
  readonly nodes: readonly NodeSight[];
  readonly sentinels: readonly SentinelSight[];
  /** Where nodes and Sentinels are that were broken on purpose. */
  readonly broken: readonly HostPort[];
  /** Where the Sentinels are that run. */
  readonly sentinelsAt: readonly HostPort[];
  /** Who was at an address before all were moved. */
  movedTo(address: HostPort): HostPort | undefined;
}

export type SetStep =
  | { readonly kind: "copy"; readonly at: string; readonly alpha: HostPort }
  | { readonly kind: "watch"; readonly at: string; readonly alpha: HostPort }
  /** The Sentinels that run, to each other. */
  | { readonly kind: "introduce"; readonly at: string; readonly alpha: HostPort };

const isSame = (a: HostPort | undefined, b: HostPort | undefined): boolean =>
  a !== undefined && b !== undefined && a.host === b.host && a.port === b.port;

const has = (list: readonly HostPort[], one: HostPort): boolean =>
  list.some((other) => isSame(other, one));

/** The alpha that most of the Sentinels name that name anybody, where it runs and is one. */
export function findAlpha(sight: SetSight): NodeSight | undefined {
  const named = sight.sentinels.flatMap(({ alpha }) =>
    alpha ? [sight.movedTo(alpha) ?? alpha] : [],
  );
  const isMajority = (one: HostPort) =>
    named.filter((other) => isSame(one, other)).length > named.length / 2;
  const alphas = sight.nodes.filter(
    ({ silent, alpha }) => silent === undefined && alpha === undefined,
  );
  const chosen = named.length === 0 ? firstAlpha(alphas, sight)?.at : named.find(isMajority);
  return alphas.find(({ at }) => isSame(at, chosen));
}

/** Before the Sentinels know anybody: whom others copy already, else the first. */
function firstAlpha(
  alphas: readonly NodeSight[],
  { nodes, movedTo }: SetSight,
): NodeSight | undefined {
  const copied = nodes.flatMap(({ alpha }) => (alpha ? [movedTo(alpha) ?? alpha] : []));
  const isAnySilent = nodes.some(({ silent }) => silent !== undefined);
  return alphas.find(({ at }) => has(copied, at)) ?? (isAnySilent ? undefined : alphas[0]);
}

export function planSet(sight: SetSight): readonly SetStep[] {
  const { nodes, sentinels } = sight;
  const alpha = findAlpha(sight);
  if (alpha === undefined) return [];
  const betas = nodes.filter((one) => one !== alpha && one.silent === undefined);
  const strays = betas.filter((one) => !isSame(one.alpha, alpha.at));
  const areLinked = betas.every(({ linkUp }) => linkUp);
  const watchers = sentinels.filter(({ silent }) => silent === undefined);
  const blind = watchers.filter(
    (one) => !isSomebody(one.alpha, sight) || (areLinked && isOutdated(one, betas, sight)),
  );
  const lonely = watchers.filter((one) => lackOf(one, sight.sentinelsAt).length > 0);
  return [
    ...strays.map(({ name }): SetStep => ({ kind: "copy", at: name, alpha: alpha.at })),
    ...blind.map(({ name }): SetStep => ({ kind: "watch", at: name, alpha: alpha.at })),
    ...(lonely.length > 0 ? [{ kind: "introduce", at: alpha.name, alpha: alpha.at } as const] : []),
  ];
}

/** Whoever names a node that is there, even one that it should not, hears of the right one from the other Sentinels. */
const isSomebody = (alpha: HostPort | undefined, { nodes, broken }: SetSight): boolean =>
  alpha !== undefined && (nodes.some(({ at }) => isSame(at, alpha)) || has(broken, alpha));

/**
 * A Sentinel forgets nobody by itself, and asks the alpha for new betas every ten seconds; one that is told anew
 * asks at once.
 */
const isOutdated = (one: SentinelSight, betas: readonly NodeSight[], sight: SetSight): boolean =>
  strangersOf(one, sight).length > 0 ||
  (isSame(one.alpha, findAlpha(sight)?.at) && betas.some(({ at }) => !has(one.betas, at)));

const strangersOf = (
  { betas, others }: SentinelSight,
  { nodes, broken, sentinelsAt }: SetSight,
): readonly HostPort[] => [
  ...betas.filter((beta) => !nodes.some(({ at }) => isSame(at, beta)) && !has(broken, beta)),
  ...others.filter((other) => !has(sentinelsAt, other) && !has(broken, other)),
];

/** One sentence each; none where all that is meant to run is whole. */
export function findSetFaults(sight: SetSight): readonly string[] {
  const { nodes, sentinels, sentinelsAt } = sight;
  const alpha = findAlpha(sight);
  const isAlphaKnown = alpha !== undefined && sentinels.some((one) => isSame(one.alpha, alpha.at));
  const betas = nodes.filter((one) => one !== alpha && one.silent === undefined);
  return [
    ...[...nodes, ...sentinels].flatMap(({ name, silent }) =>
      silent === undefined ? [] : [`${name} does not answer: ${silent}`],
    ),
    ...(isAlphaKnown ? [] : ["the Sentinels name no alpha that runs"]),
    ...(alpha === undefined ? [] : betas.flatMap((beta) => betaFaults(beta, alpha))),
    ...sentinels
      .filter(({ silent }) => silent === undefined)
      .flatMap((one) => [
        ...(alpha && !isSame(one.alpha, alpha.at)
          ? [`${one.name} does not name ${alpha.name} as the alpha`]
          : []),
        ...betas
          .filter(({ at }) => !has(one.betas, at))
          .map(({ name }) => `${one.name} has yet to hear of ${name}`),
        ...lackOf(one, sentinelsAt),
        ...strangersOf(one, sight).map(
          (at) => `${one.name} still lists ${formatEndpoint(at)}, which is gone`,
        ),
      ]),
  ];
}

const betaFaults = (beta: NodeSight, alpha: NodeSight): readonly string[] =>
  isSame(beta.alpha, alpha.at)
    ? beta.linkUp && alpha.fed.includes(beta.at.port)
      ? []
      : [`the beta ${beta.name} is not in sync`]
    : [`${beta.name} does not copy ${alpha.name}`];

function lackOf(
  { name, others }: SentinelSight,
  sentinelsAt: readonly HostPort[],
): readonly string[] {
  const missing = sentinelsAt.length - 1 - others.filter((other) => has(sentinelsAt, other)).length;
  return missing > 0 ? [`${name} has yet to hear of ${missing} other Sentinels`] : [];
}
