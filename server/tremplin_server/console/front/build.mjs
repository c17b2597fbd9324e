// Bundle the pages' scripts and sheets into ../static/dist. `npm run build`, or `make front`.

import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const place = fileURLToPath(new URL("../static/dist", import.meta.url));
// A server that runs shall not find half of it.
const output = `${place}.new`;
const templates = fileURLToPath(new URL("../templates", import.meta.url));
const packages = createRequire(import.meta.url);

/** How templates name icons: `icon('name')`, `empty(…, 'name')` and the picture of a macro. */
const NAMED = /\b(?:icon\(|empty\(_\('[^']*'\), |picture=)'([a-z0-9-]+)'/g;

/** Icons whose names stand in Python (console/administration.py, words.py) or in scripts. */
const MORE_ICONS = [
  "activity-heartbeat", "alert-triangle", "check", "device-desktop-plus", "history", "key",
  "lifebuoy", "report", "trash-x", "user-circle", "users", "x",
];

await rm(output, { recursive: true, force: true });
await mkdir(output);
await build({
  absWorkingDir: here,
  entryPoints: ["console.ts", "items.ts", "terminal.ts", "files.ts", "player.ts", "support.ts"],
  outdir: output,
  bundle: true,
  splitting: true,
  chunkNames: "shared-[hash]",
  format: "esm",
  target: ["chrome123", "firefox128", "safari17.5"],
  minify: true,
  legalComments: "linked",
  loader: { ".svg": "file" },
  assetNames: "[name]-[hash]",
  external: ["./picture-*.svg"],
  plugins: [picturesAsFiles()],
  logLevel: "warning",
});
await writeFile(join(output, "icons.svg"), await sprite());
await rm(place, { recursive: true, force: true });
await rename(output, place);

/** The framework's sheet carries small pictures in `data:` addresses, which the pages' policy
    refuses: they become files beside it. */
function picturesAsFiles() {
  return {
    name: "pictures-as-files",
    setup({ onLoad }) {
      onLoad({ filter: /tabler[\w.-]*\.css$/ }, async ({ path }) => {
        const pictures = new Map();
        const text = (await readFile(path, "utf8")).replace(
          /url\("data:image\/svg\+xml,([^"]+)"\)/g,
          (_all, encoded) => {
            const picture = decodeURIComponent(encoded);
            const digest = createHash("sha256").update(picture).digest("hex").slice(0, 8);
            pictures.set(`picture-${digest}.svg`, picture);
            return `url("./picture-${digest}.svg")`;
          },
        );
        for (const [name, picture] of pictures) await writeFile(join(output, name), picture);
        return { contents: text, loader: "css" };
      });
    },
  };
}

/** One file with the icons that the templates name. */
async function sprite() {
  const names = new Set(MORE_ICONS);
  for (const file of await readdir(templates, { recursive: true })) {
    if (!file.endsWith(".html")) continue;
    const text = await readFile(join(templates, file), "utf8");
    for (const [, name] of text.matchAll(NAMED)) names.add(name);
  }
  const symbols = await Promise.all([...names].sort().map(symbol));
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
}

async function symbol(name) {
  const file = packages.resolve(`@tabler/icons/outline/${name}.svg`);
  const text = await readFile(file, "utf8");
  const paths = text.slice(text.indexOf(">", text.indexOf("<svg")) + 1, text.indexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${paths.replace(/\s*\n\s*/g, "")}</symbol>`;
}
