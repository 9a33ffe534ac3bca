// SPDX-License-Identifier: Apache-2.0
// What happens now: a capture that is started from the page, and a guard beside the server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createConnection, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { WEIR, launch, open, serve } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

test('a capture is started, watched while it grows, stopped and read', async t => {
  const server = await serve();
  const socket = createSocket('udp4');
  const timer = setInterval(() => socket.send('weir page test', 47123, '127.0.0.1'), 50);
  try {
    if (process.getuid() !== 0) return t.skip('capturing wants root');
    const page = await open(browser, server.url);
    await page.click('#start:not([disabled])');
    await page.waitForSelector('select[name=interface] option[value=lo]', { state: 'attached' });
    await page.selectOption('select[name=interface]', 'lo');
    await page.click('summary');
    await page.fill('input[name=filter]', 'udp port 47123');
    await page.fill('input[name=name]', 'from-the-page');
    await page.click('dialog button[type=submit]');
    await page.waitForURL(/c\/from-the-page\.pcapng\/packets/);
    await page.waitForSelector('.row:has-text("47123")');
    const seen = async () => Number((await page.locator('#count').innerText()).replace(/\D.*/s, ''));
    const before = await seen();
    await page.waitForFunction(n => Number(document.querySelector('#count').textContent.replace(/\D.*/s, '')) > n + 5, before);
    await page.click('.status button:has-text("Stop")');
    await page.waitForFunction(() => !document.querySelector('.status .live'));
    await page.goto(server.url);
    await page.waitForSelector('.card:has-text("from-the-page") .badge:has-text("stopped")');
    const { captures } = await (await fetch(server.url + 'v1/sessions')).json();
    assert.equal(captures[0].state, 'STOPPED');
    assert.ok(captures[0].packets > before);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  } finally {
    clearInterval(timer);
    socket.close();
    await server.stop();
  }
});

/** freePort finds a port nobody listens on, of those the system gives to no client. */
async function freePort() {
  for (;;) {
    const port = 10000 + Math.floor(Math.random() * 20000);
    const s = createServer().listen(port, '127.0.0.1');
    const free = await new Promise(done => s.once('listening', () => done(true)).once('error', () => done(false)));
    if (!free) continue;
    await new Promise(done => s.close(done));
    return port;
  }
}

/** guard starts `weir guard` before a broker that says nothing, and tells where its listener and its admin page are. */
async function guard() {
  const broker = createServer(c => c.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await new Promise(done => broker.once('listening', done));
  const run = spawn(WEIR, ['guard', '--listen', '127.0.0.1:' + (await freePort()), '--broker', '127.0.0.1:' + broker.address().port, '--admin', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise(done => run.once('exit', done));
  let said = '';
  const [port, admin] = await new Promise((done, fail) => {
    run.stderr.on('data', piece => {
      said += piece;
      const found = [/listening on 127\.0\.0\.1:(\d+)/, /admin page on http:\/\/([^/]+)\//].map(r => r.exec(said)?.[1]);
      if (found.every(Boolean)) done(found);
    });
    ended.then(() => fail(new Error('weir guard ended: ' + said)));
  });
  return { port, admin, async stop() { run.kill('SIGINT'); await ended; broker.close(); } };
}

test('a guard shows whom it stopped, and bans are set and lifted', async () => {
  const g = await guard();
  const server = await serve('--guard', g.admin);
  try {
    await new Promise(done => { // PUBLISH before CONNECT: not allowed
      const c = createConnection(Number(g.port), '127.0.0.1', () => c.write(Buffer.from([0x30, 5, 0, 1, 97, 98, 99])));
      c.on('close', done).on('error', done).on('data', () => {}).setTimeout(60000, () => c.destroy());
    });
    const page = await open(browser, server.url);
    await page.click('.nav a:has-text("Guard")');
    await page.waitForSelector('td:has-text("mqtt.anomaly.connect_first")');
    await page.fill('input[name=value]', '198.51.100.0/24');
    await page.fill('input[name=reason]', 'of this test');
    await page.click('.ban-form button');
    await page.waitForSelector('.bans li:has-text("198.51.100.0/24"):has-text("of this test")');
    await page.click('.bans li button');
    await page.waitForSelector('p:has-text("Nobody is banned")');
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  } finally {
    await server.stop();
    await g.stop();
  }
});
