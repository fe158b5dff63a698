/**
 * A view that is redrawn in place: no flicker, nothing left of longer lines before.
 */
export interface LiveView {
  draw(text: string): void;
  /** Leaves the last picture and gives the cursor back. */
  end(): void;
}

export interface Terminal {
  readonly isTerminal: boolean;
  readonly width: number;
  readonly height: number;
  readonly colours: boolean;
  write(text: string): void;
}

/** @param stream standard output, or standard error where that carries data. */
export function openTerminal(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Terminal {
  const isTerminal = stream.isTTY === true;
  return {
    isTerminal,
    get width() {
      return stream.columns ?? 100;
    },
    get height() {
      return stream.rows ?? 24;
    },
    // https://no-color.org: present and not empty.
    colours: isTerminal && !environment.NO_COLOR && environment.TERM !== "dumb",
    write: (text) => {
      stream.write(text);
    },
  };
}

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
const clearLine = "\x1b[K";
const clearBelow = "\x1b[J";
const clearScreen = "\x1b[2J\x1b[H";

/** What is drawn must be lower than the terminal: lines that have scrolled away cannot be drawn again. */
export function openLiveView(terminal: Terminal): LiveView {
  let lines = 0;
  let width = 0;
  // Whatever ends us, the terminal gets its cursor back.
  const giveBack = () => terminal.write(showCursor);
  return {
    draw(text) {
      if (lines === 0) process.once("exit", giveBack);
      // A narrower window has broken the lines anew, and nobody knows where they begin.
      const isResized = lines > 0 && terminal.width !== width;
      const start = lines === 0 ? hideCursor : isResized ? clearScreen : `\x1b[${lines}A`;
      const rows = text.split("\n");
      terminal.write(
        `${start}\r${rows.map((row) => `${row}${clearLine}\n`).join("")}${clearBelow}`,
      );
      lines = rows.length;
      width = terminal.width;
    },
    end() {
      if (lines === 0) return;
      giveBack();
      process.off("exit", giveBack);
      lines = 0;
    },
  };
}
