// SPDX-License-Identifier: Apache-2.0
// Bundles the page with esbuild, and terser makes it smaller still: bundle.mjs OUT writes index.html, weir.js, weir.css and page.d, which lists what was read.
import { build } from 'esbuild';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minify } from 'terser';

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
  jsx: 'transform',
  jsxFactory: 'jsxElement',
  jsxFragment: 'jsxFragment',
  inject: ['src/jsx.ts'],
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
  tsconfigRaw: '{}',
  logLevel: 'warning',
});
const js = join(out, 'weir.js');
const small = await minify(readFileSync(js, 'utf8'), { ecma: 2020, toplevel: true, compress: { passes: 3, unsafe_arrows: true }, format: { comments: false } });
writeFileSync(js, small.code);
copyFileSync(join(here, 'index.html'), join(out, 'index.html'));
const inputs = Object.keys(done.metafile.inputs).map(f => join(here, f));
writeFileSync(join(out, 'page.d'), `index.html: ${[...inputs, join(here, 'index.html')].map(f => f.replace(/ /g, '\\ ')).join(' ')}\n`);
