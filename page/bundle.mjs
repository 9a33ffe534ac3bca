// SPDX-License-Identifier: Apache-2.0
// Bundles the page with esbuild: bundle.mjs OUT writes index.html, weir.js, weir.css and page.d, which lists what was read.
import { build } from 'esbuild';
import { copyFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const out = resolve(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));
const done = await build({
  absWorkingDir: here,
  entryPoints: { weir: 'src/app.tsx' },
  outdir: out,
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: 'es2022',
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
  logLevel: 'warning',
});
copyFileSync(join(here, 'index.html'), join(out, 'index.html'));
const inputs = Object.keys(done.metafile.inputs).map(f => join(here, f));
writeFileSync(join(out, 'page.d'), `index.html: ${[...inputs, join(here, 'index.html')].map(f => f.replace(/ /g, '\\ ')).join(' ')}\n`);
