/**
 * Has the Sentinel beside the node take a new password, step by step with all the others. Since Redis 6.2; one before that takes it
 * when it is started again, and the nodes take the old one until then.
 */
import type { Address } from "../address.ts";
import { messageOf } from "../errors.ts";
import type { Connection, Credentials } from "../redis/connection.ts";
import { type Command, type Reply, ReplyError } from "../redis/resp.ts";
import type { Around } from "./around.ts";
import { type Access, askNodes, enter } from "./ask-nodes.ts";
import { digest, parseUsers } from "./facts.ts";
import { whyNotAccepted } from "./gates.ts";
import { userKey } from "./names.ts";
import type { Overlap } from "./overlap.ts";
import { planSentinel, type SentinelState, type SentinelStep } from "./plan-sentinel.ts";
import { passwordsOf } from "./plan-users.ts";

export interface RotateOptions {
  readonly around: Pick<Around, "look" | "sentinel">;
  readonly credentials: Credentials;
  readonly access: Access;
  readonly overlap: Overlap;
}

/** @returns what it waits for; undefined where there is no Sentinel, or nothing to do. */
export async function rotateSentinel(options: RotateOptions): Promise<string | undefined> {
  const { around, credentials, overlap } = options;
  const { user = "default", password } = credentials;
  if (around.sentinel === undefined || password === undefined) return undefined;
  const { set, address } = around.sentinel;
  // It knows no user but the default one.
  const candidates = options.access.candidates.map((one) => ({ ...one, user: undefined }));
  const access = { ...options.access, candidates };
  const fresh = { text: password.toString(), digest: `#${digest(password)}` };
  const own = await ask({ name: "beside this node", address }, access);
  if (own.silent !== undefined || isDone(own, fresh.digest)) return undefined;
  const { others: nodes, sentinels } = await around.look();
  const users = new Map([[user, [fresh.digest]]]);
  const step = planSentinel(
    own,
    fresh,
    whyNotAccepted(await askNodes(nodes, options.access), { users, masterauth: undefined }),
    await Promise.all(sentinels.map((one) => ask(one, access))),
  );
  if (step === undefined) return undefined;
  if (step.kind !== "refuse") overlap.reset();
  const why =
    step.kind === "wait" ? step.why : step.kind === "refuse" ? overlap.whyNotOver("") : undefined;
  if (why !== undefined) return `the old password of the Sentinel: ${why}`;
  const connection = await enter(address, access);
  try {
    return await carryOut(connection, commandsOf(step, set, password));
  } finally {
    connection.close();
  }
}

const isDone = ({ taken }: SentinelState, digest: string): boolean =>
  taken.length === 1 && taken[0] === digest;

function commandsOf(step: SentinelStep, set: string, password: Buffer): readonly Command[] {
  switch (step.kind) {
    case "take":
      return [
        ["SENTINEL", "SET", set, "auth-pass", password],
        ["ACL", "SETUSER", "default", Buffer.concat([Buffer.from(">"), password])],
      ];
    case "use":
      return [["SENTINEL", "CONFIG", "SET", "sentinel-pass", password]];
    case "refuse":
      return [["ACL", "SETUSER", "default", ...step.digests.map((one) => one.replace("#", "!"))]];
    case "wait":
      return [];
  }
}

/** One after the other: what a step rests on must have been done. @returns the words of the Sentinel that refuses one. */
async function carryOut(
  connection: Connection,
  commands: readonly Command[],
): Promise<string | undefined> {
  for (const command of commands) {
    const [reply] = await connection.send([command]);
    if (reply instanceof ReplyError) return `the Sentinel beside this node: ${messageOf(reply)}`;
  }
  return "the Sentinel beside this node takes the new password, step by step";
}

async function ask(
  { name, address }: { readonly name: string; readonly address: Address | undefined },
  access: Access,
): Promise<SentinelState> {
  try {
    if (address === undefined) throw new Error("it has no address");
    const connection = await enter(address, access);
    try {
      const [users, own] = await connection.send([
        ["ACL", "LIST"],
        ["SENTINEL", "CONFIG", "GET", "sentinel-pass"],
      ]);
      return { name, silent: undefined, ...readState(users, own) };
    } finally {
      connection.close();
    }
  } catch (thrown) {
    return { name, silent: messageOf(thrown), taken: [], own: "" };
  }
}

function readState(
  users: Reply | undefined,
  own: Reply | undefined,
): Pick<SentinelState, "taken" | "own"> {
  if (users instanceof ReplyError)
    throw new Error("it is older than 6.2, and takes a password at its start");
  const rules = new Map(parseUsers(users)).get(userKey("default")) ?? "";
  return { taken: passwordsOf(rules), own: Array.isArray(own) ? String(own[1] ?? "") : "" };
}
