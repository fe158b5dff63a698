/**
 * Does to a data folder what the plan says. Cut off at any moment, the next start plans the same again.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { codeOf } from "../errors.ts";
import { asideName, sync, writeWhole } from "../files.ts";
import type { Log } from "../log.ts";
import { firstParts, renderAofManifest } from "../redis/aof-manifest.ts";
import type { DataFiles } from "../redis/data-files.ts";
import type { Step } from "./types.ts";

export function carryOut(
  step: Step,
  files: DataFiles,
  hasParts: boolean,
  now: Date,
  log: Log,
): void {
  switch (step.kind) {
    case "adopt-snapshot": {
      const into = hasParts ? adoptAsPart(files) : adoptAsFile(files);
      log.info("action", `${files.dbfilename} is now also ${into}, which the server loads`, {
        report: "Adopted",
      });
      return;
    }
    case "set-aside":
      for (const name of step.names.filter((one) => existsSync(join(files.dir, one)))) {
        const aside = asideName(name, now);
        renameSync(join(files.dir, name), join(files.dir, aside));
        log.warn("action", `${name} is set aside as ${aside}: ${step.why}`, { report: "SetAside" });
      }
      return;
    case "keep-tail": {
      const aside = asideName(step.file, now, "cut-off");
      const bytes = copyTail(join(files.dir, step.file), step.from, join(files.dir, aside));
      log.warn(
        "action",
        `${step.file} was cut short in a command: the server drops its last ${bytes} bytes, which are kept in ${aside}`,
        { report: "CutShort" },
      );
      return;
    }
  }
}

/** A link: neither file is ever written to again, and it takes no room. The manifest makes it count, and comes last. */
function adoptAsPart({ dir, dbfilename, appenddirname, appendfilename }: DataFiles): string {
  const folder = join(dir, appenddirname);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { base, manifest } = firstParts({ appendfilename });
  const temporary = join(folder, `${base}.new`);
  rmSync(temporary, { force: true });
  try {
    linkSync(join(dir, dbfilename), temporary);
  } catch (thrown) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "EXDEV"].includes(codeOf(thrown) ?? ""))
      throw thrown;
    copy(join(dir, dbfilename), temporary);
  }
  renameSync(temporary, join(folder, base));
  writeWhole(join(folder, manifest), renderAofManifest(base), 0o600);
  return join(appenddirname, base);
}

/** A copy: the server appends to this one. It may begin with a snapshot (aof-use-rdb-preamble). */
function adoptAsFile({ dir, dbfilename, appendfilename }: DataFiles): string {
  const temporary = join(dir, `${appendfilename}.new`);
  copy(join(dir, dbfilename), temporary);
  renameSync(temporary, join(dir, appendfilename));
  return appendfilename;
}

function copy(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  sync(to);
}

/** @returns how many bytes. */
function copyTail(path: string, from: number, to: string): number {
  const source = openSync(path, "r");
  const target = openSync(to, "w", 0o600);
  try {
    const { size } = fstatSync(source);
    const chunk = Buffer.alloc(Math.min(1 << 20, size - from));
    for (let at = from; at < size; ) {
      const read = readSync(source, chunk, 0, chunk.length, at);
      if (read === 0) break;
      writeSync(target, chunk, 0, read);
      at += read;
    }
    fsyncSync(target);
    return size - from;
  } finally {
    closeSync(source);
    closeSync(target);
  }
}
