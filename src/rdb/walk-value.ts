/**
 * Finds a value's end, whatever the pieces in which its bytes come: values may be larger than memory.
 */
import { length, type Step, string, textNumber } from "./format.ts";
import { type Cursor, MalformedError, readLength, readStringHead } from "./primitives.ts";

export interface Walker {
  begin(layout: readonly Step[]): void;
  /**
   * @returns where it stopped: the value's end if `isDone`, else up to where its bytes are known; what is left before `end` is
   *   too short to tell, and must be given again with more behind it.
   */
  advance(bytes: Buffer, at: number, end: number): number;
  readonly isDone: boolean;
}

/** Kinds of a module's parts, each with what it consists of: two whole numbers, a float, a double, a string. */
const moduleParts: readonly (readonly Step[])[] = [[], [length], [length], [4], [8], [string]];

export function createWalker(): Walker {
  const cursor: Cursor = { next: 0, value: 0 };
  /** The layouts that are being gone through, each inside of the one before: the next step, and how often it is left to do. */
  const layouts: (readonly Step[])[] = [];
  const steps: number[] = [];
  const rounds: number[] = [];
  let depth = -1;
  /** Bytes that are passed over unseen. */
  let skip = 0;

  function enter(layout: readonly Step[], times: number): void {
    depth++;
    layouts[depth] = layout;
    steps[depth] = 0;
    rounds[depth] = times;
  }

  /** @returns false where the bytes end before the step's head does. */
  function take(step: Step, bytes: Buffer, at: number, end: number): boolean {
    if (typeof step === "object") {
      if (!readLength(bytes, at, end, cursor)) return false;
      if (cursor.value > 0) enter(step, cursor.value);
      return true;
    }
    if (step > 0) {
      cursor.next = at;
      skip = step;
      return true;
    }
    if (step === string) {
      if (!readStringHead(bytes, at, end, cursor)) return false;
      skip = cursor.value;
      return true;
    }
    if (step === length) return readLength(bytes, at, end, cursor);
    if (at >= end) return false;
    if (step === textNumber) {
      const size = bytes[at] as number;
      skip = size < 253 ? size : 0;
      cursor.next = at + 1;
      return true;
    }
    return takeModulePart(bytes, at, end);
  }

  function takeModulePart(bytes: Buffer, at: number, end: number): boolean {
    if (!readLength(bytes, at, end, cursor)) return false;
    if (cursor.value === 0) return true;
    const content = moduleParts[cursor.value];
    if (content === undefined)
      throw new MalformedError(`a module's value has a part ${cursor.value}`);
    // The next part comes after this one.
    steps[depth] = (steps[depth] as number) - 1;
    enter(content, 1);
    return true;
  }

  return {
    begin(layout) {
      depth = -1;
      skip = 0;
      enter(layout, 1);
    },
    advance(bytes, start, end) {
      let at = start;
      for (;;) {
        if (skip > 0) {
          const passed = Math.min(skip, end - at);
          at += passed;
          skip -= passed;
          if (skip > 0) return at;
        }
        if (depth < 0) return at;
        const layout = layouts[depth] as readonly Step[];
        const index = steps[depth] as number;
        const step = layout[index];
        if (step === undefined) {
          steps[depth] = 0;
          rounds[depth] = (rounds[depth] as number) - 1;
          if (rounds[depth] === 0) depth--;
          continue;
        }
        // Before it is entered: what is inside of it comes first.
        steps[depth] = index + 1;
        const level = depth;
        if (!take(step, bytes, at, end)) {
          steps[level] = index;
          return at;
        }
        at = cursor.next;
      }
    },
    get isDone() {
      return depth < 0 && skip === 0;
    },
  };
}
