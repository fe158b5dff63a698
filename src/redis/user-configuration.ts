/**
 * A user's own redis.conf: read as the server reads it, so that we know what it sets. It is included, never changed.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, RekindleError } from "../errors.ts";

export interface Directive {
  readonly name: string;
  readonly values: readonly string[];
  /** For messages. */
  readonly file: string;
  readonly line: number;
}

/** @throws RekindleError `configuration` for a file that cannot be read or understood. */
export function readUserConfiguration(file: string | undefined, depth = 0): readonly Directive[] {
  if (file === undefined) return [];
  if (depth > 16)
    throw new RekindleError("configuration", `${file} includes itself`, {
      hint: "take the circle of includes out",
    });
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch (thrown) {
    throw new RekindleError(
      "configuration",
      `the redis.conf ${file} cannot be read: ${messageOf(thrown)}`,
      {
        hint: "check the path in --config",
        cause: thrown,
      },
    );
  }
  return text.split(/\r?\n/).flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    const words = splitArguments(trimmed);
    if (words === undefined) {
      throw new RekindleError(
        "configuration",
        `${file}, line ${index + 1}: the quotes do not match`,
        { hint: "mend that line" },
      );
    }
    const [name = "", ...values] = words;
    if (name.toLowerCase() === "include")
      return values.flatMap((included) => readUserConfiguration(resolve(included), depth + 1));
    return [{ name: name.toLowerCase(), values, file, line: index + 1 }];
  });
}

/** The last value of a directive, as the server takes it. */
export function directiveValue(directives: readonly Directive[], name: string): string | undefined {
  return directives.findLast((directive) => directive.name === name)?.values[0];
}

/**
 * Words as redis.conf has them (`sdssplitargs`): bare, 'single' with \', or "double" with \xHH, \n, \r, \t, \b, \a.
 *
 * @returns undefined where quotes do not match.
 */
export function splitArguments(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let rest = line.trim();
  while (rest !== "") {
    const match = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/s.exec(rest);
    if (!match) return undefined;
    const [whole, double, single, bare] = match;
    words.push(
      double !== undefined
        ? unescapeDouble(double)
        : single !== undefined
          ? single.replaceAll("\\'", "'")
          : (bare ?? ""),
    );
    rest = rest.slice(whole.length).trimStart();
  }
  return words;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

function unescapeDouble(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|(.))/gs,
    (_, hex: string | undefined, letter: string) =>
      hex === undefined
        ? (escapes[letter] ?? letter)
        : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** A word in double quotes that the server reads back byte by byte. */
export function quoteArgument(bytes: Buffer | string): string {
  const text = Buffer.isBuffer(bytes)
    ? bytes.toString("latin1")
    : Buffer.from(bytes).toString("latin1");
  const escaped = text.replace(/[^\x20-\x7e]|["\\]/g, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}
