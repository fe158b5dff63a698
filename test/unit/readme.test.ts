/** The README tells the truth about settings and exit codes. REKINDLE_UPDATE_README=yes writes the table anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { clusterSettingDescriptions } from "../../src/cluster/settings.ts";
import { exitCodes } from "../../src/errors.ts";
import { families } from "../../src/metrics/series.ts";
import { type Described, environmentOf, flagOf } from "../../src/settings.ts";
import { storeSettingDescriptions } from "../../src/stores/settings.ts";

const file = new URL("../../README.md", import.meta.url);
const readme = readFileSync(file, "utf8");

function renderTable(descriptions: Described): string {
  const rows = Object.entries(descriptions).map(
    ([name, { describe, defaultText, fallback, choices, alsoEnvironment }]) => {
      const variables = [environmentOf(name), ...(alsoEnvironment ?? [])]
        .map((variable) => `\`${variable}\``)
        .join(", ");
      const allowed =
        choices === undefined ? "" : ` (${choices.map((choice) => `\`${choice}\``).join(", ")})`;
      const byDefault = defaultText ?? (fallback === undefined ? "" : `\`${fallback}\``);
      return `| \`--${flagOf(name)}\` | ${describe}${allowed} | ${byDefault} | ${variables} |`;
    },
  );
  return ["| flag | | default | variable |", "|---|---|---|---|", ...rows].join("\n");
}

test.each([
  ["settings", clusterSettingDescriptions],
  ["store settings", storeSettingDescriptions],
])("the table of the %s in the README is that of the program", (name, descriptions) => {
  const table = `<!-- ${name} -->\n${renderTable(descriptions)}\n<!-- /${name} -->`;
  if (process.env.REKINDLE_UPDATE_README === "yes") {
    const old = new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`);
    writeFileSync(file, readFileSync(file, "utf8").replace(old, table));
  } else expect(readme).toContain(table);
});

test("every figure of Rekindle's own stands in the README", () => {
  for (const family of Object.keys(families)) expect(readme).toContain(`| \`${family}\` |`);
});

test("every exit code stands in the README", () => {
  for (const code of Object.values(exitCodes))
    expect(readme).toMatch(new RegExp(`^\\| (\\d+, )?${code}(, \\d+)? \\|`, "m"));
});
