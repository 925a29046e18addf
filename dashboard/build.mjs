// Bundles the page into the Python package: hashed names, and each file as gzip and brotli beside it.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../hefesto_api/web/pages/app");
const LIMIT_KB = 150;

await rm(out, { recursive: true, force: true });
await mkdir(join(out, "assets"), { recursive: true });
const { metafile, outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.tsx", icon: "src/icon.svg" },
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "assets/[name]-[hash]",
  assetNames: "assets/[name]-[hash]",
  loader: { ".svg": "copy" },
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  outdir: out,
  metafile: true,
  write: false,
});

let packed = 0;
for (const file of outputFiles) {
  const gzip = gzipSync(file.contents, { level: 9 });
  packed += gzip.length;
  await writeFile(file.path, file.contents);
  await writeFile(`${file.path}.gz`, gzip);
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  await writeFile(`${file.path}.br`, brotliCompressSync(file.contents, options));
}

const named = (suffix) => {
  const found = Object.keys(metafile.outputs).map((path) => basename(path));
  return found.find((name) => name.endsWith(suffix));
};
const template = await readFile(join(here, "src/index.html"), "utf8");
const page = template
  .replaceAll("{{script}}", named(".js"))
  .replaceAll("{{style}}", named(".css"))
  .replaceAll("{{icon}}", named(".svg"));
await writeFile(join(out, "index.html"), page);

console.log(`dashboard: ${(packed / 1024).toFixed(1)} KB compressed`);
if (packed > LIMIT_KB * 1024) {
  console.error(`more than the ${LIMIT_KB} KB that the first page may weigh`);
  process.exit(1);
}
