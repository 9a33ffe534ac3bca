// SPDX-License-Identifier: Apache-2.0
// A browser and a server for the page's tests.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const WEIR = process.env.WEIR || 'build/weir';
export const SAMPLE = process.env.WEIR_SAMPLE || 'build/sample.pcapng';
export const CHROMIUM = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const folder = mkdtempSync(join(tmpdir(), 'weir-page-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** made gives captures that made.py makes; beside them lies what belongs to them. */
export function made(...names) {
  execFileSync('/usr/bin/python3', [fileURLToPath(new URL('made.py', import.meta.url)), folder], { stdio: 'inherit' });
  return names.map(n => join(folder, n));
}

/** serve starts `weir serve` on a free port with a folder of its own. */
export async function serve(...args) {
  const dir = mkdtempSync(join(tmpdir(), 'weir-page-'));
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const stay = process.getuid() === 0 ? ['-Z', 'root'] : []; // the folder is this user's
  const run = spawn(WEIR, ['serve', '--dir', join(dir, 'captures'), ...listen, ...stay, ...args], { stdio: ['ignore', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'] });
  const lines = createInterface({ input: run.stdout })[Symbol.asyncIterator]();
  const { value: url } = await lines.next();
  if (!url) throw new Error('weir serve did not start');
  return {
    url, dir, made: folder,
    async stop() {
      const ended = new Promise(done => run.once('exit', done));
      run.kill('SIGTERM');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });

/** open gives a page in a fresh context; what it complains about is in page.complaints. */
export async function open(browser, url, { width = 1280, height = 800, dark = false, lang = 'en-US', touch = false } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', locale: lang, hasTouch: touch });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {});
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', e => page.complaints.push('error: ' + e.message));
  page.on('console', m => { if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) page.complaints.push('console: ' + m.text()); });
  page.setDefaultTimeout(120000); // also on a machine that has much else to do
  await page.goto(url);
  return page;
}
