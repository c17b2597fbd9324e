// Bundle the pages' scripts and sheets into ../static/dist. `npm run build`, or `make front`.

import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const output = fileURLToPath(new URL("../static/dist", import.meta.url));

await rm(output, { recursive: true, force: true });
await build({
  absWorkingDir: here,
  entryPoints: ["terminal.ts", "files.ts", "player.ts"],
  outdir: output,
  bundle: true,
  format: "esm",
  target: ["chrome109", "firefox115", "safari16.4"],
  minify: true,
  legalComments: "linked",
  loader: { ".svg": "file" },
  assetNames: "[name]-[hash]",
  logLevel: "warning",
});
