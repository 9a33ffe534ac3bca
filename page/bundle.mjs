// SPDX-License-Identifier: Apache-2.0
// Bundles the page with esbuild, and terser makes it smaller still: bundle.mjs OUT writes index.html, weir.js, weir.css and page.d, which lists what was read.
import { build, transformSync } from 'esbuild';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minify } from 'terser';

const out = resolve(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));

/** columns turns the catalogue from rows into four texts, one for each language and one for the keys: they compress better. */
const columns = {
  name: 'columns',
  setup(b) {
    b.onLoad({ filter: /i18n.(words|more|live)\.ts$/ }, async ({ path }) => {
      const { code } = transformSync(readFileSync(path, 'utf8'), { loader: 'ts', format: 'esm' });
      const [[name, rows]] = Object.entries(await import('data:text/javascript;base64,' + Buffer.from(code).toString('base64')));
      if (Object.values(rows).flat().some(text => text.includes('|'))) throw new Error(path + ': a text has a bar');
      const column = i => JSON.stringify(Object.entries(rows).map(([key, texts]) => (i < 0 ? key : texts[i])).join('|')) + ".split('|')";
      return { contents: `const e=${column(0)},j=${column(1)},z=${column(2)};export const ${name}=Object.fromEntries(${column(-1)}.map((k,i)=>[k,[e[i],j[i],z[i]]]))` };
    });
  },
};
/** fewer leaves out what of uPlot nobody calls: other curves, joining of tables, helpers for plug-ins. */
const fewer = {
  name: 'fewer',
  setup(b) {
    b.onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const parts = /^uPlot\.(assign|fmtNum|rangeNum|rangeLog|rangeAsinh|orient|sync) = .*$|^\tuPlot\.(join|fmtDate|tzDate|addGap|clipGaps) +?= .*$|^\t\(paths\.(stepped|spline) += .*$/gm;
      return { contents: text.replace(parts, '') };
    });
  },
};
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
  plugins: [columns, fewer],
  metafile: true,
  tsconfigRaw: '{}',
  logLevel: 'warning',
});
const js = join(out, 'weir.js');
const small = await minify(readFileSync(js, 'utf8'), { ecma: 2020, toplevel: true, compress: { passes: 3, unsafe_arrows: true, pure_getters: false }, format: { comments: false } });
writeFileSync(js, small.code);
copyFileSync(join(here, 'index.html'), join(out, 'index.html'));
const inputs = Object.keys(done.metafile.inputs).map(f => join(here, f));
writeFileSync(join(out, 'page.d'), `index.html: ${[...inputs, join(here, 'index.html')].map(f => f.replace(/ /g, '\\ ')).join(' ')}\n`);
