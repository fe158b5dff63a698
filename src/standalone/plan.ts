/**
 * What must be done to a data folder before its server starts, or why it must not start. Pure.
 *
 * A server that starts with less than the folder holds will sooner or later write over the rest: whatever it would pass over in
 * silence is put in its way, or refused. Nothing is ever deleted.
 */

import type { AofManifest } from "../redis/aof-manifest.ts";
import { formatBytes } from "../words.ts";
import type { DataFile, Observation, Plan, Step } from "./types.ts";

type Refusal = Extract<Plan, { kind: "refuse" }>;
const refuse = (reason: string, hint: string): Refusal => ({ kind: "refuse", reason, hint });

/** What the server would load, in its order; `adopt` what it should and would not. */
interface Choice {
  readonly loads: readonly DataFile[];
  readonly adopt?: DataFile;
  readonly aside?: Step;
}

export function decideStart(seen: Observation): Plan {
  const choice = chooseData(seen);
  if ("kind" in choice) return choice;
  const { loads, adopt, aside } = choice;
  const all = adopt ? [adopt] : loads;
  const lacking = findDenied(seen, all) ?? findNoRoom(seen, adopt);
  if (lacking) return lacking;
  for (const file of all) {
    const refusal = judge(file, file === loads.at(-1), seen);
    if (refusal) return refusal;
  }
  return {
    kind: "start",
    reason: describe(all, adopt !== undefined),
    steps: [
      ...(aside ? [aside] : []),
      ...(adopt ? [{ kind: "adopt-snapshot" } as const] : []),
      ...all.flatMap(({ name, condition }) =>
        condition?.kind === "short"
          ? [{ kind: "keep-tail", file: name, from: condition.wholeBytes } as const]
          : [],
      ),
    ],
    warnings: [...warnOfRoom(seen), ...warnOfMemory(seen, all)],
  };
}

/** The names of what the server would load: only that is looked at closely. */
export function namesToLoad(seen: Observation): readonly string[] {
  const choice = chooseData(seen);
  if ("kind" in choice) return [];
  return [...choice.loads, ...(choice.adopt ? [choice.adopt] : [])].map(({ name }) => name);
}

function chooseData(seen: Observation): Choice | Refusal {
  if (!seen.files.appendonly) return chooseSnapshot(seen);
  const found = seen.hasParts ? chooseParts(seen) : chooseSingle(seen);
  if ("kind" in found) return found;
  const { snapshot } = seen;
  if (snapshot === undefined || snapshot.bytes === 0) return found;
  if (found.loads.length === 0) return { loads: [], adopt: snapshot };
  if (!isLeftBehind(found.loads, snapshot, seen)) return found;
  const names =
    seen.manifest === undefined ? [seen.files.appendfilename] : [seen.files.appenddirname];
  const why = `the server ran without it since, and ${snapshot.name} is newer`;
  return { loads: [], adopt: snapshot, aside: { kind: "set-aside", names, why } };
}

/** An append-only file that was turned off and is turned on again: the server would go back to the day it was turned off. */
function isLeftBehind(
  loads: readonly DataFile[],
  snapshot: DataFile,
  { lastStart }: Observation,
): boolean {
  if (lastStart === undefined || lastStart.appendonly) return false;
  return (
    snapshot.writtenAtMs > lastStart.atMs &&
    loads.every(({ writtenAtMs }) => writtenAtMs < lastStart.atMs)
  );
}

function chooseSnapshot({ snapshot, single, parts, files }: Observation): Choice | Refusal {
  const logged = [...(single ? [single] : []), ...parts].filter(({ bytes }) => bytes > 0);
  const newest = Math.max(0, ...logged.map(({ writtenAtMs }) => writtenAtMs));
  if (logged.length > 0 && newest > (snapshot?.writtenAtMs ?? 0)) {
    const instead = snapshot
      ? `load ${snapshot.name}, which is older than the append-only file`
      : "start empty beside an append-only file that holds data";
    return refuse(
      `with appendonly no the server would ${instead}`,
      `set appendonly yes; to turn it off, start so, then CONFIG SET appendonly no and SAVE; or move ${logged.some(({ name }) => name === files.appendfilename) ? files.appendfilename : files.appenddirname} away`,
    );
  }
  return { loads: snapshot ? [snapshot] : [] };
}

function chooseParts(seen: Observation): Choice | Refusal {
  const { manifest, parts, partsDenied, single, files } = seen;
  if (partsDenied !== undefined) return refuseDenied(seen, [partsDenied]);
  const at = `${files.appenddirname}/${files.appendfilename}.manifest`;
  if (typeof manifest === "string")
    return refuse(
      `${at} cannot be used: ${manifest}`,
      "put the manifest back from a backup of this folder; the server would not start, or not load what it does not name",
    );
  if (manifest !== undefined) return chooseNamed(manifest, parts, at);
  const held = parts.filter(({ bytes }) => bytes > 0);
  if (held.length > 0)
    return refuse(
      `${files.appenddirname} holds ${held.map(({ name }) => name).join(", ")} and no manifest: the server would start empty`,
      `put ${at} back from a backup of this folder, or move the folder away`,
    );
  // The server takes over what an older one has left.
  return { loads: single && single.bytes > 0 ? [single] : [] };
}

function chooseNamed(
  { base, increments }: AofManifest,
  parts: readonly DataFile[],
  at: string,
): Choice | Refusal {
  const names = [...(base === undefined ? [] : [base]), ...increments];
  const found = names.map((name) => parts.find((part) => part.name.endsWith(`/${name}`)));
  const missing = names.filter((_, index) => found[index] === undefined);
  if (missing.length === 0) return { loads: found.flatMap((file) => file ?? []) };
  return refuse(
    `${at} names ${missing.join(" and ")}, which ${missing.length === 1 ? "is" : "are"} not there`,
    "put the file back from a backup of this folder, or restore a backup into an empty one",
  );
}

function chooseSingle({ single, parts, files }: Observation): Choice | Refusal {
  if (single && single.bytes > 0) return { loads: [single] };
  if (parts.some(({ bytes }) => bytes > 0))
    return refuse(
      `${files.appenddirname} is the append-only file of Redis 7.0 or later, and this server would start empty beside it`,
      "use an image with Redis 7.0 or later, or move that folder away",
    );
  return { loads: [] };
}

function findDenied(seen: Observation, used: readonly DataFile[]): Refusal | undefined {
  const denied = used.flatMap(({ name, denied: why }) => (why ? [`${name}: ${why}`] : []));
  return denied.length === 0 ? undefined : refuseDenied(seen, denied);
}

const refuseDenied = ({ files }: Observation, denied: readonly string[]): Refusal =>
  refuse(
    `this user cannot use what is in ${files.dir}: ${denied.join("; ")}`,
    "give the files to this user (chown -R; on Kubernetes: fsGroup), or run as their owner",
  );

/** Below this the server dies at once: it writes its manifest, and we its configuration. */
const leastBytes = 1_048_576;

function findNoRoom(seen: Observation, adopt: DataFile | undefined): Refusal | undefined {
  // Into one file it is copied, into parts it is linked.
  const needed = leastBytes + (adopt && !seen.hasParts ? adopt.bytes : 0);
  if (seen.freeBytes >= needed) return undefined;
  return refuse(
    `${seen.files.dir} has ${formatBytes(seen.freeBytes)} left, and starting takes ${formatBytes(needed)}`,
    "make room there, or a larger volume",
  );
}

function judge(file: DataFile, isLast: boolean, { takesShort, files }: Observation) {
  const { name, condition, header, isSnapshot } = file;
  const path = `${files.dir}/${name}`;
  switch (condition?.kind) {
    case "foreign":
      return refuse(
        `${path} is of a version that this server does not read: ${[header?.format, header?.writtenBy].filter(Boolean).join(", ")}`,
        "use an image with that version or a later one; nothing was changed",
      );
    case "damaged":
      return refuse(
        `${path} is damaged: ${condition.why}`,
        isSnapshot
          ? "restore a backup into an empty folder; redis-check-rdb tells more; nothing was changed"
          : "copy it first, then let redis-check-aof --fix cut off all that follows the damage, or restore a backup into an empty folder; nothing was changed",
      );
    case "short":
      if (isLast && takesShort) return undefined;
      return refuse(
        `${path} was cut short after byte ${condition.wholeBytes}, and ${isLast ? "aof-load-truncated is no" : "other files follow it"}`,
        isLast
          ? "set aof-load-truncated yes, and the server takes what is whole"
          : "restore a backup into an empty folder",
      );
    default:
      return undefined;
  }
}

const bytesOf = (files: readonly DataFile[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

function warnOfRoom({ freeBytes, snapshot, single, parts, files }: Observation): readonly string[] {
  const held = bytesOf([...(single ? [single] : []), ...parts]);
  // A rewrite, or a snapshot, is written beside what is there.
  const neededBytes = Math.max(held, snapshot?.bytes ?? 0);
  return freeBytes >= neededBytes
    ? []
    : [
        `${files.dir} has ${formatBytes(freeBytes)} left; saving the data anew takes about ${formatBytes(neededBytes)}, and where that fails the server refuses writes: make room, or a larger volume`,
      ];
}

function warnOfMemory(
  { memoryLimitBytes = Number.POSITIVE_INFINITY }: Observation,
  loads: readonly DataFile[],
): readonly string[] {
  const took = Math.max(0, ...loads.map(({ header }) => header?.memoryBytes ?? 0));
  return took <= memoryLimitBytes
    ? []
    : [
        `the data took ${formatBytes(took)} of memory when it was saved, and this container may take ${formatBytes(memoryLimitBytes)}: it may be killed while it loads`,
      ];
}

function describe(loads: readonly DataFile[], isAdopted: boolean): string {
  const [first] = loads;
  if (first === undefined) return "there is no data yet: the server starts empty";
  const what = `${loads.map(({ name }) => name).join(", ")}, ${formatBytes(bytesOf(loads))}`;
  return isAdopted
    ? `${what}: it becomes the beginning of the append-only file; the server by itself would start empty`
    : `the server loads ${what}`;
}
