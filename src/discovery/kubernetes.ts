/**
 * Discovery from the Kubernetes API: the pods of the own Deployment or StatefulSet.
 */
import { type Address, busPortDistance, compareNames } from "../address.ts";
import { withDeadline } from "../deadline.ts";
import { isRekindleError, RekindleError } from "../errors.ts";
import type { Access } from "../kubernetes/access.ts";
import { type Api, asLastingFault, describeTrouble, type Rule } from "../kubernetes/api.ts";
import { createPatience } from "../kubernetes/patience.ts";
import { followPods, type PodStore } from "../kubernetes/pods.ts";
import type { ContainerStatus, Pod, PodList, Workload } from "../kubernetes/types.ts";
import {
  findWorkload,
  type Owner,
  ownerIfAny,
  ownerOf,
  readWorkloads,
  renderSelector,
  templateOf,
} from "../kubernetes/workload.ts";
import {
  type Discovery,
  type Peer,
  type Peers,
  type PodFacts,
  soleOwnAddress,
} from "./discovery.ts";

export interface KubernetesOptions {
  readonly access: Pick<Access, "pod" | "namespace">;
  readonly api: Api;
  readonly port: number;
  readonly busPort: number | undefined;
  /** The own address, where the API must not be asked. */
  readonly address: string | undefined;
  readonly family: "auto" | "4" | "6";
  /** `fresh`: pods of another template are another cluster. */
  readonly onNewTemplate: "join" | "fresh";
  /** How long a fault that a person must mend may last before it ends the boot. */
  readonly patienceMs: number;
}

export interface KubernetesDiscovery extends Discovery {
  /** The own pod and its owner, once the API server has told. */
  own(): OwnPod | undefined;
  /** The owner as it was when this process started. */
  workload(): Workload | undefined;
  /** The own pod alone, whoever owns it: asks for it where it is not known yet, and gives nothing where that fails. */
  findPod(): Promise<Pod | undefined>;
  /** The same, without asking. */
  pod(): Pod | undefined;
  /** The peers' pods, the own one too, as they were told last. */
  mates(): readonly Pod[];
  /** Takes in what the API server answered to a change of one. */
  put(pod: Pod): void;
  close(): void;
}

export interface OwnPod {
  readonly pod: Pod;
  readonly owner: Owner;
  /** The hash of its template. */
  readonly template: string;
}

/** A boot asks again and again; each look is answered with what is known by then. */
const lookMs = 1_000;

export function discoverKubernetes(options: KubernetesOptions): KubernetesDiscovery {
  const { access, api, patienceMs } = options;
  const patience = createPatience(patienceMs, () => performance.now());
  let own: OwnPod | undefined;
  let ownPod: Pod | undefined;
  let workload: Workload | undefined;
  let store: PodStore | undefined;

  async function openStore(): Promise<PodStore> {
    own ??= await findOwnPod();
    const { owner, template } = own;
    workload = await findWorkload(api, owner).catch(withRule(readWorkloads(owner)));
    const selector = renderSelector(workload.spec.selector);
    const isFresh = options.onNewTemplate === "fresh";
    return followPods(
      api,
      isFresh ? `${selector},${owner.templateLabel}=${template}` : selector,
      patienceMs,
    );
  }
  const withRule =
    (rule: Rule) =>
    (thrown: unknown): never => {
      const told = isRekindleError(thrown) ? thrown : undefined;
      const lasting = asLastingFault(api, thrown, rule) ?? told;
      throw lasting ? endOrWait(lasting) : new Waiting(describeTrouble(api, thrown));
    };
  const endOrWait = (fault: RekindleError): Error =>
    patience.isOver(fault) ? fault : new Waiting(fault.message);

  /** By a list of one: the right to list is needed anyway, the right to get is not. */
  async function listOwnPod(): Promise<Pod | undefined> {
    const name = encodeURIComponent(`metadata.name=${access.pod}`);
    const path = `/api/v1/namespaces/${access.namespace}/pods?fieldSelector=${name}`;
    ownPod = (await api.send<PodList>("GET", path)).items[0];
    return ownPod;
  }

  async function findOwnPod(): Promise<OwnPod> {
    const rule = { verb: "list", group: "", resource: "pods" } as const;
    const pod = await listOwnPod().catch(withRule(rule));
    if (pod !== undefined) return { pod, owner: ownerOf(pod), template: templateOf(pod) };
    throw endOrWait(
      new RekindleError(
        "configuration",
        `there is no pod ${access.pod} in the namespace ${access.namespace}`,
        { hint: "set POD_NAME from the downward API (metadata.name)" },
      ),
    );
  }

  return {
    knowsWhoIsGone: true,
    async find() {
      try {
        store ??= await openStore();
      } catch (thrown) {
        if (!(thrown instanceof Waiting)) throw thrown;
        return { self: undefined, selfWaitingFor: thrown.message, others: [] };
      }
      await withDeadline(store.settled, lookMs).catch(() => {});
      store.throwLastingFault();
      const pods = store.current();
      if (pods !== undefined && own !== undefined) return peersAmong(pods.values(), own, options);
      const why = store.trouble() ?? `the API server ${api.server} has not listed the pods yet`;
      return { self: undefined, selfWaitingFor: why, others: [] };
    },
    own: () => own,
    workload: () => workload,
    pod: () => ownPod,
    mates: () => (own ? matesAmong(store?.current()?.values() ?? [], own) : []),
    put: (pod) => store?.put(pod),
    findPod: async () => ownPod ?? (await listOwnPod().catch(() => undefined)),
    close() {
      store?.close();
      api.close();
    },
  };
}

class Waiting extends Error {}

/** Every pod of the same owner that runs or will, by name. */
export function peersAmong(
  pods: Iterable<Pod>,
  own: OwnPod,
  options: Pick<KubernetesOptions, "port" | "busPort" | "address" | "family">,
): Peers {
  const mates = matesAmong(pods, own);
  const newest = newestTemplate(mates);
  const peers = mates
    .map((pod) => peerOf(pod, newest, options, pod.metadata.name === own.pod.metadata.name))
    .sort((a, b) => compareNames(a.name, b.name));
  const self = peers.find((peer) => peer.name === own.pod.metadata.name);
  return {
    self: self?.address ? self : undefined,
    selfWaitingFor: self?.address ? "" : `the pod ${own.pod.metadata.name} has no address yet`,
    others: peers.filter((peer) => peer !== self),
  };
}

const matesAmong = (pods: Iterable<Pod>, own: OwnPod): readonly Pod[] =>
  [...pods].filter((pod) => isSameOwner(own, pod) && !hasEnded(pod));

/** Two Deployments may have selectors that overlap; their owners tell them apart (rule 6). */
function isSameOwner({ owner }: OwnPod, pod: Pod): boolean {
  const other = ownerIfAny(pod);
  return other?.kind === owner.kind && other.name === owner.name;
}

/**
 * Rule 7: the address of an ended pod may be somebody else's by now. So may that of one that is being deleted, once its
 * containers have ended; Kubernetes keeps it in its lists for a while.
 */
function hasEnded({ metadata, status }: Pod): boolean {
  const containers = status?.containerStatuses ?? [];
  const isOver = containers.length > 0 && containers.every(({ state }) => state?.terminated);
  return (
    status?.phase === "Failed" ||
    status?.phase === "Succeeded" ||
    (metadata.deletionTimestamp !== undefined && isOver)
  );
}

/** By the youngest pod: a template that was gone back to is new again. */
function newestTemplate(pods: readonly Pod[]): string {
  const createdAt = ({ metadata }: Pod) => Date.parse(metadata.creationTimestamp ?? "") || 0;
  const youngest = pods.reduce<Pod | undefined>(
    (best, pod) => (best === undefined || createdAt(pod) > createdAt(best) ? pod : best),
    undefined,
  );
  return youngest ? templateOf(youngest) : "";
}

function peerOf(
  pod: Pod,
  newest: string,
  options: Pick<KubernetesOptions, "port" | "busPort" | "address" | "family">,
  isSelf: boolean,
): Peer {
  const name = pod.metadata.name;
  const facts = factsOf(pod, newest, options.port);
  const ip = (isSelf ? options.address : undefined) ?? addressOf(pod, options.family);
  // A container may run a second before the API tells its pod's address.
  const found = ip ?? (isSelf && !pod.spec?.hostNetwork ? soleOwnAddress() : undefined);
  const obstacle = isSelf ? undefined : obstacleOf(pod, options.port);
  // Of one that crashes again and again the address is good: it may come back there.
  if (found === undefined || obstacle !== undefined)
    return { name, pod: facts, address: undefined, waitingFor: obstacle ?? "it is being started" };
  return { name, pod: facts, address: withPorts(found, options) };
}

const withPorts = (
  ip: string,
  { port, busPort }: Pick<KubernetesOptions, "port" | "busPort">,
): Address => ({ ip, port, busPort: busPort ?? port + busPortDistance });

function factsOf(pod: Pod, newest: string, port: number): PodFacts {
  const template = templateOf(pod);
  const [server] = serverStatuses(pod, port);
  return {
    kubernetesNode: pod.spec?.nodeName,
    template,
    isOfNewestTemplate: template === newest,
    mayHoldData: ownerIfAny(pod)?.kind === "StatefulSet",
    isTroubled: obstacleOf(pod, port) !== undefined || isCrashing(pod, port),
    isLeaving: pod.metadata.deletionTimestamp !== undefined,
    server: server && { isReady: server.ready === true, restarts: server.restartCount ?? 0 },
  };
}

function addressOf({ status }: Pod, family: "auto" | "4" | "6"): string | undefined {
  const all = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : []);
  // The first is the cluster's own choice.
  return family === "auto" ? all[0] : all.find((ip) => ip.includes(":") === (family === "6"));
}

/** Reasons of a waiting container that mean trouble, not progress (kubelet, pkg/kubelet/images and kuberuntime). */
const troubled =
  /^(ErrImage|ImagePull|ImageInspect|InvalidImageName|RegistryUnavailable|CreateContainer|RunContainerError)/;

/** Why this pod will not answer soon, in Kubernetes' own words. */
function obstacleOf(pod: Pod, port: number): string | undefined {
  const { status } = pod;
  if (status?.phase !== "Pending") return undefined;
  const unscheduled = status.conditions?.find(
    ({ type, status: is }) => type === "PodScheduled" && is === "False",
  );
  if (unscheduled) return inWords(unscheduled.reason ?? "Unschedulable", unscheduled.message);
  const waiting = [...(status.initContainerStatuses ?? []), ...serverStatuses(pod, port)]
    .map(({ state }) => state?.waiting)
    .find((one) => troubled.test(one?.reason ?? ""));
  return waiting && inWords(waiting.reason ?? "", waiting.message);
}

const isCrashing = (pod: Pod, port: number): boolean =>
  serverStatuses(pod, port).some(({ state }) => state?.waiting?.reason === "CrashLoopBackOff");

/** Of the container that declares the server's port: an exporter beside it that is unwell is no trouble of the node's. */
function serverStatuses({ spec, status }: Pod, port: number): readonly ContainerStatus[] {
  const all = status?.containerStatuses ?? [];
  const servers = spec?.containers?.filter(({ ports }) =>
    ports?.some(({ containerPort }) => containerPort === port),
  );
  const own = all.filter(({ name }) => servers?.some((one) => one.name === name));
  return own.length > 0 ? own : all;
}

const inWords = (reason: string, message: string | undefined): string =>
  message ? `${reason} (${message})` : reason;
