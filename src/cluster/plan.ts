/**
 * What this node must do next, decided from one observation. Pure: no clock, no network, no file, no randomness.
 *
 * The safety rules live here and in the files beside it, by their numbers in docs/safety-rules.md:
 * founding (4, 5) in plan-founding, joining (1, 2, 4, 7) in plan-joining, coming back (3) in plan-returning, and who is
 * met at all (6, 10) in separate-clusters. Every plan carries its reason; the log and the tests read the same sentence.
 */
import { formatAddress } from "../address.ts";
import { planFounding } from "./plan-founding.ts";
import { planJoining } from "./plan-joining.ts";
import { planReturning } from "./plan-returning.ts";
import { readTopology, type Topology } from "./topology.ts";
import type { Observation, Plan } from "./types.ts";

export function plan(observation: Observation): Plan {
  const topology = readTopology(observation);
  const { self } = observation;
  const refusal = refuseWhenDenied(observation) ?? refuseForeign(topology);
  if (refusal) return refusal;
  if (self?.table) return planReturning(observation, topology, self, self.table);
  if (self && self.data !== "none") return refuseUnownedData();
  // From outside there is nobody to join: founding says when there is nothing left to do.
  return self && topology.formed
    ? planJoining(observation, topology, self)
    : planFounding(observation, topology);
}

/** Some peer answers, and none lets us in: the fault is on our side, and no waiting mends it. */
function refuseWhenDenied({ peers }: Observation): Plan | undefined {
  const denials = peers.flatMap(({ seen }) => (seen.state === "denied" ? [seen.why] : []));
  if (denials.length === 0 || peers.some(({ seen }) => seen.state === "answered")) return undefined;
  return {
    kind: "refuse",
    exit: "configuration",
    reason: `no answering peer lets this node in: ${denials.join("; ")}`,
    hint: "give every node the same password, user and TLS authorities, and run them all in cluster mode",
  };
}

/** Rule 6: two clusters are never merged, and a folder of one cluster never serves another. */
function refuseForeign(topology: Topology): Plan | undefined {
  const { self, foreign, ambiguous } = topology;
  if (!ambiguous) return undefined;
  const who = foreign.map((peer) => `${peer.name} (${formatAddress(peer.address)})`).join(", ");
  if (self?.table === undefined) {
    return {
      kind: "refuse",
      exit: "refused",
      reason: `the peers belong to more than one cluster: ${who}`,
      hint: "let discovery name the nodes of one cluster only",
    };
  }
  if (self.data === "none") {
    return {
      kind: "set-aside",
      reason: `nodes.conf is of another cluster than the peers ${who}, and there is no data`,
    };
  }
  return {
    kind: "refuse",
    exit: "refused",
    reason: `the data folder belongs to another cluster than the peers ${who}`,
    hint: "give this node its own folder back, or an empty one",
  };
}

/** Joining would overwrite the data, founding would mix it in: neither without being asked. */
function refuseUnownedData(): Plan {
  return {
    kind: "refuse",
    exit: "refused",
    reason:
      "the data folder holds data but no nodes.conf, so it is unknown which slots it belongs to",
    hint: "put the nodes.conf back, or move the data away and start with an empty folder",
  };
}
