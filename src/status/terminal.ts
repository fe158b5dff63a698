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

export function openLiveView(terminal: Terminal): LiveView {
  let lines = 0;
  return {
    draw(text) {
      const up = lines > 0 ? `\x1b[${lines}A` : hideCursor;
      const rows = text.split("\n");
      terminal.write(`${up}\r${rows.map((row) => `${row}${clearLine}\n`).join("")}${clearBelow}`);
      lines = rows.length;
    },
    end() {
      if (lines > 0) terminal.write(showCursor);
      lines = 0;
    },
  };
}
