/** What a Sentinel starts with, of what it remembered and of what answers now. */
import { expect, test } from "vitest";
import type { PeerView, RunningServer, SentinelView } from "../../src/replication/types.ts";
import { renderSentinelConfiguration } from "../../src/sentinel/configuration.ts";
import { planSentinel } from "../../src/sentinel/plan.ts";
import { parseState, type SentinelState } from "../../src/sentinel/state.ts";
import { runningServer } from "./servers-under-test.ts";

const addressOf = (last: number, port = 6379) => ({ ip: `10.0.0.${last}`, port, busPort: 16_379 });
const server = (last: number, announcedAs?: string, more?: Partial<RunningServer>): PeerView => ({
  name: `redis-${last}`,
  address: addressOf(last),
  announcedAs,
  seen: runningServer(`run-${last}`, { offset: 1, keys: 1, ...more }),
});
const alpha = (last: number, announcedAs?: string) => server(last, announcedAs, { role: "alpha" });
const sentinel = (last: number, id?: string): SentinelView => ({
  name: `sentinel-${last}`,
  address: addressOf(last, 26_379),
  id,
  seen: { state: "knows-nothing" },
});
const idOf = (letter: string) => letter.repeat(40);
const knowing = (...sentinels: SentinelState["sentinels"]): SentinelState => ({
  alpha: { host: "10.0.0.1", port: 6379 },
  currentEpoch: 3,
  configEpoch: 3,
  leaderEpoch: 3,
  betas: [],
  sentinels,
});
const startWith = (
  peers: readonly PeerView[],
  sentinels: readonly SentinelView[] = [],
  remembered?: SentinelState,
) => {
  const decision = planSentinel({
    remembered,
    peers,
    sentinels,
    unchangedMs: 60_000,
    peerWaitMs: 0,
  });
  if (decision.kind !== "become") throw new Error(decision.reason);
  return decision.state;
};

test("nodes are watched by the names that they announce, the others by their addresses", () => {
  const { alpha: watched, betas } = startWith([
    alpha(1, "first.example"),
    server(2, "second.example"),
    server(3),
  ]);
  expect(watched).toEqual({ host: "first.example", port: 6379 });
  expect(betas.map(({ host }) => host)).toEqual(["second.example", "10.0.0.3"]);
});

test("another Sentinel is known by its id: by its name, or where it answers now; one that is gone is forgotten", () => {
  const at = (host: string, letter: string) => ({ host, port: 26_379, id: idOf(letter) });
  const remembered = knowing(
    at("s-1.example", "a"),
    at("10.0.0.8", "b"),
    at("10.0.0.6", "c"),
    at("10.0.0.9", "d"),
  );
  const answering = [sentinel(4, idOf("a")), sentinel(5, idOf("b")), sentinel(6)];
  expect(startWith([alpha(1)], answering, remembered).sentinels).toEqual([
    at("s-1.example", "a"),
    at("10.0.0.5", "b"),
    // Before 6.2 none tells its id.
    at("10.0.0.6", "c"),
  ]);
});

test("sentinel.conf has names only where the server resolves them, and is read back as it was written", () => {
  const state = startWith([alpha(1, "first.example"), server(2, "second.example")]);
  const options = {
    set: "mymaster",
    state,
    id: idOf("a"),
    quorum: 2,
    dir: "/data",
    ip: "10.0.0.7",
    port: 26_379,
    downAfterMs: 5_000,
    failoverTimeoutMs: 30_000,
    eventScript: "/data/on-event",
    credentials: { user: undefined, password: undefined },
    tls: undefined,
  };
  const named = renderSentinelConfiguration({
    ...options,
    announcedAs: "s-1.example",
    hasHostnames: true,
  });
  expect(named.indexOf("sentinel resolve-hostnames yes")).toBeLessThan(
    named.indexOf("sentinel monitor"),
  );
  expect(named).toContain('sentinel announce-hostnames yes\nsentinel announce-ip "s-1.example"\n');
  expect(parseState(named, "mymaster")).toEqual(state);
  const old = renderSentinelConfiguration({
    ...options,
    announcedAs: undefined,
    hasHostnames: false,
  });
  expect(old).not.toContain("hostnames");
  expect(old).toContain('sentinel announce-ip "10.0.0.7"\n');
});
