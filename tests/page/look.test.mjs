// SPDX-License-Identifier: Apache-2.0
// How the page is made: size, no outside hosts, languages, narrow screens, and what axe-core says of every view.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { SAMPLE, launch, open, serve } from './browser.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const VIEWS = ['#/', '#/diff', '#/c/sample.pcapng', '#/c/sample.pcapng/frame/8', '#/c/sample.pcapng/findings', '#/c/sample.pcapng/mqtt/topic/home/kitchen/temperature', '#/c/sample.pcapng/mqtt/clients',
  '#/c/sample.pcapng/waterfall', '#/c/sample.pcapng/ladder', '#/c/sample.pcapng/follow/mqtt/1', '#/c/sample.pcapng/follow/tcp/1', '#/c/sample.pcapng/stats', '#/c/sample.pcapng/stats/endpoints/ip', '#/c/sample.pcapng/volume',
  '#/diff?good=sample.pcapng&bad=sample.pcapng', '#/c/sample.pcapng/packets?filter=mqtt.topc'];
const SIZE_MAX = 80000;
let server, browser;

before(async () => {
  server = await serve(SAMPLE);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
const settled = page => page.waitForFunction(() => document.querySelector('main') && !document.querySelector('.wait, .spin')).then(() => page.waitForTimeout(100));

test(`the page is smaller than ${SIZE_MAX} bytes as sent compressed`, async () => {
  let sum = 0;
  for (const file of ['', 'weir.js', 'weir.css']) {
    const got = await new Promise((done, fail) => http.get(server.url + file, { headers: { 'accept-encoding': 'gzip' } }, done).on('error', fail));
    assert.equal(got.headers['content-encoding'], 'gzip');
    const packed = Buffer.concat(await got.toArray());
    assert.equal(gunzipSync(packed).toString(), await (await fetch(server.url + file, { headers: { 'accept-encoding': 'identity' } })).text());
    sum += packed.length;
  }
  assert.ok(sum < SIZE_MAX, `${sum} bytes`);
});

test('nothing is asked of other hosts, and the policy forbids it', async () => {
  const r = await fetch(server.url);
  const policy = r.headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|http:|https:|\*/);
  const page = await open(browser, server.url);
  const asked = new Set();
  page.on('request', q => asked.add(new URL(q.url()).origin));
  for (const view of VIEWS) {
    await page.goto(server.url + view);
    await settled(page);
  }
  asked.delete('null');
  assert.deepEqual([...asked], [new URL(server.url).origin]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

for (const [name, how] of Object.entries({ 'a wide screen': {}, 'a wide screen in the dark': { dark: true }, '360 pixels': { width: 360, height: 720 }, '360 pixels in the dark': { width: 360, height: 720, dark: true } }))
  test(`axe-core finds nothing serious on ${name}, and nothing hangs over`, async () => {
    const page = await open(browser, server.url, how);
    for (const view of VIEWS) {
      await page.goto(server.url + view);
      await settled(page);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${view} is ${over} pixels too wide`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      const grave = violations.filter(v => v.impact === 'serious' || v.impact === 'critical');
      assert.deepEqual(grave.map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.target + ' ' + (n.any[0]?.message || '')).join('; ')}`), [], view);
    }
    await page.context().close();
  });

test('the page speaks English, Japanese and Chinese, by the browser and by choice', async () => {
  for (const [lang, word] of [['en-US', 'Packets'], ['ja-JP', 'パケット'], ['zh-CN', '数据包'], ['fr-FR', 'Packets']]) {
    const page = await open(browser, server.url + '#/c/sample.pcapng', { lang });
    await page.waitForSelector(`.tabs a:has-text("${word}")`);
    await page.context().close();
  }
  const page = await open(browser, server.url + '#/c/sample.pcapng');
  await page.click('#settings');
  await page.getByRole('menuitem', { name: '日本語' }).click();
  await page.waitForSelector('.tabs a:has-text("パケット")');
  await page.reload();
  await page.waitForSelector('.tabs a:has-text("パケット")');
  await page.context().close();
});

test('light and dark follow the system until one is chosen', async () => {
  const page = await open(browser, server.url, { dark: true });
  const theme = want => page.waitForFunction(t => document.documentElement.dataset.theme === t, want);
  await theme('dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await theme('light');
  await page.click('#settings');
  await page.getByRole('menuitem', { name: 'Dark' }).click();
  await theme('dark');
  await page.reload();
  await theme('dark');
  await page.context().close();
});

test('a server that wants a token asks for it', async () => {
  const other = await serve('--listen', '0.0.0.0:0', SAMPLE);
  try {
    const [, port, token] = /:(\d+)\/#token=(\w+)/.exec(other.url);
    const page = await open(browser, `http://127.0.0.1:${port}/`);
    await page.fill('input[name=token]', token);
    await page.click('button:has-text("Enter")');
    await page.waitForSelector('.card:has-text("sample.pcapng")');
    await page.context().close();
  } finally {
    await other.stop();
  }
});
