/** Who is on which side of a cut. Pure. */
import type { Fault } from "./faults.ts";
import type { Cut } from "./network.ts";
import type { Shard } from "./wholeness.ts";

export interface Sides {
  /** The target's, the target included. */
  readonly side: readonly string[];
  readonly away: readonly string[];
  readonly pairs: readonly Cut[];
}

export function drawCut(
  fault: Pick<Fault, "kind" | "from" | "deaf">,
  target: string,
  names: readonly string[],
  shards: readonly Shard[],
): Sides {
  const away = othersOf(fault, target, names, shards);
  const side = fault.from === "half" ? names.filter((name) => !away.includes(name)) : [target];
  const pairs = side.flatMap((own) =>
    away.flatMap((other): Cut[] => {
      const [inbound, outbound]: [Cut, Cut] = [
        [other, own],
        [own, other],
      ];
      if (fault.kind === "cut") return [inbound, outbound];
      return [fault.deaf ? inbound : outbound];
    }),
  );
  return { side, away, pairs };
}

function othersOf(
  { from }: Pick<Fault, "from">,
  target: string,
  names: readonly string[],
  shards: readonly Shard[],
): readonly string[] {
  const others = names.filter((name) => name !== target);
  switch (from) {
    case "shard": {
      const shard = shards.find(({ alpha, betas }) => [alpha, ...betas].includes(target));
      const mates = [shard?.alpha, ...(shard?.betas ?? [])];
      return others.filter((name) => mates.includes(name));
    }
    // Every third stays with it; who that is follows from the names.
    case "half":
      return others.filter((_, index) => index % 3 !== 0);
    case "all":
      return [...others, "clients"];
    default:
      return others;
  }
}
