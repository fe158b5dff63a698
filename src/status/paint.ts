/**
 * Colours that can be left out, and text that fits a width. Pure. Nothing may depend on a colour alone.
 */
import { stripVTControlCharacters } from "node:util";

type Dye = (text: string) => string;

export interface Paint {
  readonly bold: Dye;
  readonly dim: Dye;
  readonly red: Dye;
  readonly green: Dye;
  readonly yellow: Dye;
}

const dye =
  (on: number, off: number): Dye =>
  (text) =>
    text === "" ? "" : `\x1b[${on}m${text}\x1b[${off}m`;
const asItIs: Dye = (text) => text;

export const coloured: Paint = {
  bold: dye(1, 22),
  dim: dye(2, 22),
  red: dye(31, 39),
  green: dye(32, 39),
  yellow: dye(33, 39),
};
export const plain: Paint = {
  bold: asItIs,
  dim: asItIs,
  red: asItIs,
  green: asItIs,
  yellow: asItIs,
};

/** Columns on a terminal. */
export const widthOf = (text: string): number => [...stripVTControlCharacters(text)].length;

/** Filled with spaces up to the width. */
export const pad = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - widthOf(text)));

/** Two texts at the two ends of a line of this width. */
export const spread = (left: string, right: string, width: number): string =>
  `${pad(left, width - widthOf(right))}${right}`;

/** Unpainted text, cut with an ellipsis where it is longer than the width. */
export function clip(text: string, width: number): string {
  const letters = [...text];
  if (letters.length <= width) return text;
  return width < 1 ? "" : `${letters.slice(0, width - 1).join("")}…`;
}

/** Unpainted text in lines of at most this width, broken at spaces. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((one) => clip(one, width));
}
