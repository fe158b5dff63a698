// Draws docs/exercise.svg from a real run of `rekindle up --exercise` on a terminal.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./set-up.mjs";

const escapeCode = String.fromCharCode(27);
const style = new RegExp(`${escapeCode}\\[([\\d;]*)m`);
const styles = new RegExp(`${escapeCode}\\[[\\d;]*m`, "g");
const moves = new RegExp(`${escapeCode}\\[(?![\\d;]*m)[\\d;?]*[A-Za-z]`, "g");

// `script` (util-linux) gives the command a terminal of its own, so that it colours what it says.
const command = `stty cols 100; ${join(root, "dist/rekindle")} up --exercise --name picture 2>/dev/null`;
const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
  encoding: "utf8",
  env: { ...process.env, TERM: "xterm", NO_COLOR: "" },
});
const lines = stdout.replace(moves, "").split(/\r?\n/);
const shown = [
  "$ npm start -- --exercise",
  "",
  ...lines.slice(lines.findIndex((line) => line.startsWith("killing"))),
].filter((line, index, all) => line !== "" || all[index + 1] !== undefined);

const colours = { 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 36: "#79c0ff" };
const lineHeight = 19;
const width = Math.max(...shown.map((line) => line.replace(styles, "").length)) * 8.43 + 40;
const height = shown.length * lineHeight + 40;

writeFileSync(
  join(root, "docs/exercise.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" width="${width.toFixed(0)}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">
<title>npm start -- --exercise: an alpha is killed and emptied, and the cluster is whole again</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${shown.map((line, index) => `<text x="20" y="${30 + index * lineHeight}" xml:space="preserve" fill="#e6edf3">${paint(line)}</text>`).join("\n")}
</svg>
`,
);

/** Each run of one style is a tspan. */
function paint(line) {
  let look = "";
  return line
    .split(new RegExp(`(${styles.source})`))
    .map((part) => {
      const code = style.exec(part)?.[1];
      if (code === undefined) return part === "" ? "" : `<tspan${look}>${escapeXml(part)}</tspan>`;
      if (code === "0" || code === "") look = "";
      else if (code === "1") look = ' font-weight="bold"';
      else if (code === "2") look = ' fill="#8b949e"';
      else look = ` fill="${colours[code] ?? "#e6edf3"}"`;
      return "";
    })
    .join("");
}

function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
