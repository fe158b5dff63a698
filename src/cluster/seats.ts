/**
 * Which node gets which slots when a cluster is founded. Pure.
 */
import { countSlots, myselfOf, type SlotRange, slotCount } from "./nodes.ts";
import type { Topology } from "./topology.ts";
import type { Member, Observation } from "./types.ts";

export interface Seat {
  readonly slots: SlotRange;
  readonly epoch: number;
  /** Undefined: this node itself takes it when it starts. */
  readonly alpha: Member | undefined;
}

/** Who gets which slots: what is there already first, then by the order of names. */
export function assignSeats({ policy, self }: Observation, topology: Topology): readonly Seat[] {
  const alphaCount = policy.nodes / (policy.replicas + 1);
  const ranges = foundingRanges(alphaCount);
  const ownSlots = self?.table ? myselfOf(self.table)?.slots[0] : self?.restored?.[0];
  const taken = new Set<Member>();
  const take = (member: Member | undefined): Member | undefined => {
    if (member) taken.add(member);
    return member;
  };
  const owners = ranges.map((range) =>
    take(
      topology.members.find((member) =>
        myselfOf(member.seen.table)?.slots.some(([first]) => first === range[0]),
      ),
    ),
  );
  const claimants = ranges.map(
    (_, index) =>
      owners[index] ??
      take(
        topology.members.find(
          (member) =>
            !taken.has(member) &&
            isFree(member) &&
            myselfOf(member.seen.table)?.epoch === index + 1,
        ),
      ),
  );
  return ranges.map((slots, index) => {
    const mine = ownSlots !== undefined && ownSlots[0] === slots[0];
    const free = spread(topology.members, taken).filter(isFree);
    // An unclaimed node first: one with an epoch was meant for something else by a coordinator before us.
    const fresh = free.find((member) => myselfOf(member.seen.table)?.epoch === 0) ?? free[0];
    const alpha = mine ? undefined : (claimants[index] ?? take(fresh));
    return { slots, epoch: index + 1, alpha };
  });
}

const isFree = (member: Member): boolean =>
  member.seen.role === "alpha" && countSlots(myselfOf(member.seen.table)?.slots ?? []) === 0;

/** The slots in equal parts, as `redis-cli --cluster create` cuts them. */
export function foundingRanges(alphaCount: number): readonly SlotRange[] {
  const size = slotCount / alphaCount;
  return Array.from({ length: alphaCount }, (_, index) => [
    Math.round(index * size),
    index === alphaCount - 1 ? slotCount - 1 : Math.round((index + 1) * size) - 1,
  ]);
}

/** Those that are not taken, the machines with the fewest alphas first: losing one machine must not lose the majority. */
function spread(members: readonly Member[], taken: ReadonlySet<Member>): readonly Member[] {
  const machine = ({ pod }: Member) => pod?.kubernetesNode;
  const load = Map.groupBy(taken, machine);
  const loadOf = (member: Member) =>
    machine(member) === undefined ? 0 : (load.get(machine(member))?.length ?? 0);
  return members.filter((member) => !taken.has(member)).sort((a, b) => loadOf(a) - loadOf(b));
}
