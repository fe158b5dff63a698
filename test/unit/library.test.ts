/** What the library for tests decides: who takes over, who is forgotten, and what counts as whole. */
import { expect, test } from "vitest";
import { parseNodes } from "../../src/cluster/nodes.ts";
import type { Answer, PeerView } from "../../src/cluster/types.ts";
import {
  renderFoundingTable,
  renderReplacingTable,
  type Seat,
} from "../../src/testing/cluster-tables.ts";
import {
  findFaults,
  findUnlinked,
  type Known,
  membersOf,
  planMending,
} from "../../src/testing/judge-cluster.ts";
import { findAlpha, findSetFaults, planSet, type SetSight } from "../../src/testing/judge-set.ts";
import { chooseLine } from "../../src/testing/last-words.ts";
import { readFed } from "../../src/testing/read-fed.ts";

const id = (digit: number | string) => `${digit}`.repeat(40);
const seats: readonly Seat[] = [
  { id: id(1), slots: [[0, 5460]], alphaId: undefined },
  { id: id(2), slots: [[5461, 10_922]], alphaId: undefined },
  { id: id(3), slots: [[10_923, 16_383]], alphaId: undefined },
  { id: id(4), slots: [], alphaId: id(1) },
];
const known = seats.map(
  (seat, index): Known => ({ id: seat.id, name: `node-${index + 1}`, isFresh: false }),
);
const fresh = known.map((one) => ({ ...one, isFresh: true }));

/** A node that answers with this table. */
function nodeOf(index: number, table: string, answer: Partial<Answer> = {}): PeerView {
  const parsed = parseNodes(table);
  const own = parsed.nodes.find(({ flags }) => flags.includes("myself"));
  const role = own?.flags.includes("slave") ? "beta" : "alpha";
  const seen = {
    ...{
      state: "answered",
      id: own?.id ?? "",
      table: parsed,
      clusterOk: true,
      keys: 0,
      role,
      offset: 0,
    },
    ...{
      inSync: role === "beta",
      syncing: false,
      hasFollowed: true,
      uptimeSeconds: 0,
      nodeTimeoutMs: 2_000,
    },
    ...answer,
  } as Answer;
  return {
    name: `node-${index}`,
    address: { ip: "10.0.0.1", port: index, busPort: index + 10_000 },
    seen,
  };
}

/** As `me` sees all, each at its address. */
const settled = (me: number, owner = 1): string =>
  seats
    .map((seat, index) => {
      const isOwner = index + 1 === owner || (index > 0 && index < 3);
      const flags = [...(index + 1 === me ? ["myself"] : []), isOwner ? "master" : "slave"].join(
        ",",
      );
      const slots =
        index + 1 === owner ? "0-5460" : index > 0 && index < 3 ? seat.slots[0]?.join("-") : "";
      const port = index + 1;
      return `${seat.id} 10.0.0.1:${port}@${port + 10_000} ${flags} ${isOwner ? "-" : id(owner)} 0 0 ${port} connected ${slots}`.trim();
    })
    .join("\n");

const everybody = (owner = 1) => [1, 2, 3, 4].map((me) => nodeOf(me, settled(me, owner)));

test("a cluster in which all know all is whole, and nothing is done to it", () => {
  expect(findFaults(everybody(), known)).toEqual([]);
  expect(planMending(everybody(), known)).toEqual([]);
});

test("in the founding each alpha takes over before anybody hears of it, each with an epoch of its own", () => {
  const tables = seats.map((seat) => renderFoundingTable(seat, seats, id("f")));
  const steps = planMending(
    tables.map((table, index) => nodeOf(index + 1, table)),
    fresh,
  );
  expect(steps.filter(({ kind }) => kind === "promote").map(({ at }) => at.name)).toEqual([
    "node-1",
  ]);
  expect(steps.filter((step) => step.kind === "meet" && step.at.name === "node-1")).toEqual([]);
  const epochs = tables.slice(0, 3).map((table) => parseNodes(table).currentEpoch);
  expect(new Set(epochs).size).toBe(3);
});

test("one that the server would hold back waits, rather than take over too early", () => {
  const table = renderFoundingTable(seats[0] as Seat, seats, id("f"));
  const one = [nodeOf(1, table, { clusterOk: false })];
  expect(planMending(one, fresh)).toEqual([]);
  const later = [nodeOf(1, table, { clusterOk: false, uptimeSeconds: 3 })];
  expect(planMending(later, fresh)).toMatchObject([{ kind: "promote", how: "takeover" }]);
});

test.each([
  ["while its beta has yet to be elected", 1],
  ["when its beta was elected, and it has not heard of that", 4],
])("the empty replacement of an alpha takes nothing over %s", (_when, owner) => {
  const table = parseNodes(settled(2));
  const replacement = nodeOf(1, renderReplacingTable(id(9), id(1), table));
  const others = everybody(owner).slice(1);
  const now = [{ ...(fresh[0] as Known), id: id(9) }, ...known.slice(1)];
  const steps = planMending([replacement, ...others], now);
  expect(steps.filter(({ kind }) => kind === "promote")).toEqual([]);
  const silent: PeerView = {
    name: "node-4",
    address: undefined,
    seen: { state: "silent", refused: false, why: "" },
  };
  const blind = planMending([replacement, ...others.slice(0, 2), silent], now);
  expect(blind.filter(({ kind }) => kind === "promote")).toEqual([]);
});

test("who is gone is forgotten when nobody gives it slots any more", () => {
  const now = known.filter((one) => one.name !== "node-1");
  const forgotten = (owner: number) =>
    planMending(everybody(owner).slice(1), now)
      .filter(({ kind }) => kind === "forget")
      .map(({ at }) => at.name);
  expect(forgotten(1)).toEqual([]);
  expect(forgotten(4)).toEqual(["node-2", "node-3", "node-4"]);
  expect(findFaults(everybody(4).slice(1), now).join()).toContain(
    "node-2 still lists 11111111, which is gone",
  );
});

test("a beta that knows where its alpha is, and has no link to it, is told again; one that copies is not", () => {
  const beta = (answer: Partial<Answer>) =>
    findUnlinked(membersOf([...everybody().slice(0, 3), nodeOf(4, settled(4), answer)]));
  expect(beta({ inSync: false }).map(({ name }) => name)).toEqual(["node-4"]);
  expect(beta({ inSync: false, syncing: true })).toEqual([]);
  expect(beta({})).toEqual([]);
});

const at = (port: number) => ({ host: "10.0.0.1", port });
const node = (port: number, alpha?: number): SetSight["nodes"][number] => ({
  ...{
    name: `node-${port}`,
    at: at(port),
    silent: undefined,
    linkUp: alpha !== undefined,
    fed: alpha === undefined ? [1, 2, 3] : [],
  },
  alpha: alpha === undefined ? undefined : at(alpha),
});
const sentinel = (
  port: number,
  alpha?: number,
  betas: number[] = [],
): SetSight["sentinels"][number] => ({
  ...{ name: `sentinel-${port}`, silent: undefined, betas: betas.map(at) },
  ...{
    alpha: alpha === undefined ? undefined : at(alpha),
    others: [7, 8, 9].filter((one) => one !== port).map(at),
  },
});
const sight = (given: Partial<SetSight>): SetSight => ({
  nodes: [node(1), node(2, 1), node(3, 1)],
  sentinels: [7, 8, 9].map((port) => sentinel(port, 1, [2, 3])),
  ...{ broken: [], sentinelsAt: [7, 8, 9].map(at), movedTo: () => undefined },
  ...given,
});

test("a set in which all name one alpha is whole, and nothing is done to it", () => {
  expect(findSetFaults(sight({}))).toEqual([]);
  expect(planSet(sight({}))).toEqual([]);
});

test("Sentinels that name an alpha where it was are told where it is, and so are its betas", () => {
  const moved = sight({
    nodes: [node(4), node(5, 1), node(6, 1)],
    movedTo: ({ port }) => (port === 1 ? at(4) : undefined),
  });
  expect(findAlpha(moved)?.name).toBe("node-4");
  expect(planSet(moved).map(({ kind, at }) => `${kind} ${at}`)).toEqual([
    ...["copy node-5", "copy node-6", "watch sentinel-7", "watch sentinel-8", "watch sentinel-9"],
  ]);
});

test("while the Sentinels name an alpha that was killed, nobody else is told to be one", () => {
  const failing = sight({ nodes: [node(2, 1), node(3, 1)], broken: [at(1)] });
  expect(planSet(failing)).toEqual([]);
  expect(findSetFaults(failing)).toContain("the Sentinels name no alpha that runs");
  // Nor is the one that switches last told anew: it would forget what it knows.
  const switching = sight({
    nodes: [node(2), node(3, 2)],
    sentinels: [sentinel(7, 2, [1, 3]), sentinel(8, 2, [1, 3]), sentinel(9, 1, [2, 3])],
    broken: [at(1)],
  });
  expect(planSet(switching)).toEqual([]);
});

test("Sentinels that have forgotten everything watch whom the others copy, not who merely was the alpha once", () => {
  const blank = sight({
    nodes: [node(1), node(2), node(3, 2)],
    sentinels: [sentinel(7), sentinel(8), sentinel(9)],
  });
  expect(findAlpha(blank)?.name).toBe("node-2");
});

test("a beta counts when its alpha has heard from it: until then it is online and gets nothing", () => {
  const info = new Map([
    ["slave0", "ip=10.0.0.1,port=7,state=online,offset=0,lag=0"],
    ["slave1", "ip=10.0.0.1,port=8,state=online,offset=14,lag=0"],
    ["slave2", "ip=10.0.0.1,port=9,state=wait_bgsave,offset=0,lag=0"],
  ]);
  expect(readFed(info)).toEqual([8]);
});

test.each([
  [
    "Reading the configuration file, at line 5\n>>> 'no-such thing'\nBad directive or wrong number of arguments\n",
    "'no-such thing' is not understood",
  ],
  [
    "9:M 26 Nov # >>> 'no-such thing'\n9:M 26 Nov # Module Configuration detected: aborting\n",
    "'no-such thing' is not understood",
  ],
  [
    "1:C 01 Jan oO0\n1:M 01 Jan # === ASSERTION FAILED ===\n1:M 01 Jan # ==> x.c:1 'a' is not true\nmore\n",
    "1:M 01 Jan # ==> x.c:1 'a' is not true",
  ],
  ["it has neither\n", "it has neither"],
  ["", "it printed nothing"],
])("of %j it says the line that tells why", (log, line) => {
  expect(chooseLine(log)).toBe(line);
});
