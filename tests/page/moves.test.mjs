// SPDX-License-Identifier: Apache-2.0
// What people do with a viewer of captures, done by a browser.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, beforeEach, test } from 'node:test';
import { SAMPLE, WEIR, launch, made, open, serve } from './browser.mjs';

let server, browser, page;
const weir = (...args) => execFileSync(WEIR, args, { encoding: 'utf8' });
const frames = filter => weir('read', '-r', SAMPLE, '-Y', filter, '-T', 'fields', '-e', 'frame.number').trim().split('\n').map(Number);
const at = hash => page.goto(server.url + '#/c/sample.pcapng' + hash);
const rows = () => page.locator('.rows .row');
const counted = text => page.waitForFunction(t => document.querySelector('#count')?.textContent.startsWith(t), text);
const marked = async where => {
  await page.waitForSelector(`.${where} .on`);
  return (await page.locator(`.${where} .on`).allInnerTexts()).join('');
};
async function filter(text) {
  await page.fill('#filter', text);
  await page.press('#filter', 'Enter');
}

before(async () => {
  server = await serve(SAMPLE, ...made('tls.pcap', 'hostile.pcap', 'long.pcap'));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
beforeEach(async () => {
  await page?.context().close();
  page = await open(browser, server.url);
});

test('a capture is opened, and its connections are seen first', async () => {
  await page.setInputFiles('#file', SAMPLE);
  await page.waitForSelector('.table-box tbody tr');
  assert.match(page.url(), /#\/c\/sample-2\.pcapng|#\/c\/sample/);
  const talks = JSON.parse(weir('stats', 'conversations', 'tcp', '-r', SAMPLE, '--json'));
  assert.equal(await page.locator('.table-box tbody tr').count(), talks.length);
  const first = await page.locator('.table-box tbody tr').first().innerText();
  assert.match(first, /192\.0\.2\.21:40001/);
  assert.match(first, /thermometer/);
  assert.equal(await page.locator('.table-box tbody tr .spark path').count(), talks.length);
  await page.click('.table-box tbody tr >> nth=0', { position: { x: 400, y: 10 } });
  await counted('16 of 100');
  assert.equal(await page.inputValue('#filter'), 'tcp.stream == 0');
});

test('one is not many', async () => {
  weir('edit', SAMPLE, '-w', `${server.dir}/captures/one.pcapng`, '-Y', 'frame.number == 1');
  await page.goto(server.url + '#/c/one.pcapng/packets');
  await page.waitForFunction(() => document.querySelector('#count')?.textContent === '1 packet');
});

test('mqtt is filtered and a PUBLISH is read, field by field and byte by byte', async () => {
  await at('/packets');
  await counted('100 packets');
  await filter('mqtt');
  await counted(`${frames('mqtt').length} of 100`);
  await page.click('.row:has-text("Publish Message (id=1) [home/kitchen/temperature]") >> nth=0');
  const topic = page.locator('.leaf:has-text("Topic: home/kitchen/temperature")');
  await topic.click();
  assert.equal(await marked('ascii'), 'home/kitchen/temperature');
  assert.equal(await marked('hex'), Buffer.from('home/kitchen/temperature').toString('hex'));
  await page.locator('.ascii span', { hasText: '3' }).first().click(); // the first byte of MQTT: 0x33
  assert.match(await page.locator('.leaf.picked').innerText(), /Message Type|Header Flags|QoS|Retain/);
  assert.match(page.url(), /\/frame\/8\?filter=mqtt/);
});

test('a filter by address and port gives the rows weir read gives', async () => {
  await at('/packets');
  const text = 'ip.addr == 192.0.2.30 && tcp.port == 1883';
  await page.fill('#filter', text);
  await page.waitForSelector('.filterbox.good');
  await page.press('#filter', 'Enter');
  const want = frames(text);
  await counted(`${want.length} of 100`);
  const shown = await page.locator('.rows .row .f-no').allInnerTexts();
  assert.deepEqual(shown.map(Number), want.slice(0, shown.length));
});

test('a wrong filter is red, with a caret and a name that looks like it', async () => {
  await at('/packets');
  await page.fill('#filter', 'tcp && mqtt.topc');
  await page.press('#filter', 'Enter');
  await page.waitForSelector('.filterbox.bad');
  const pre = await page.locator('.complaint pre').innerText();
  const [text, caret] = pre.split('\n');
  assert.equal(text, 'tcp && mqtt.topc');
  assert.equal(caret.indexOf('^'), text.indexOf('mqtt'));
  await page.click('.complaint .link:has-text("mqtt.topic")');
  assert.equal(await page.inputValue('#filter'), 'tcp && mqtt.topic');
  await page.waitForSelector('.filterbox.good');
});

test('names are completed while they are typed', async () => {
  await at('/packets');
  await page.click('#filter');
  await page.keyboard.type('tcp && mqtt.to');
  await page.waitForSelector('.hints li:has-text("mqtt.topic")');
  await page.keyboard.press('ArrowDown');
  const picked = await page.locator('.hints li[aria-selected=true] .mono').innerText();
  await page.keyboard.press('Tab');
  assert.equal(await page.inputValue('#filter'), 'tcp && ' + picked);
});

test('a field becomes the filter, a column, and text of the clipboard', async () => {
  await at('/frame/8');
  const topic = page.locator('.leaf:has-text("Topic: home/kitchen/temperature")');
  await topic.click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Apply as filter' }).click();
  assert.equal(await page.inputValue('#filter'), 'mqtt.topic == "home/kitchen/temperature"');
  await counted(`${frames('mqtt.topic == "home/kitchen/temperature"').length} of 100`);
  await topic.click({ button: 'right' });
  await page.getByRole('menuitem', { name: '… not this' }).click();
  await counted(`${frames('!(mqtt.topic == "home/kitchen/temperature")').length} of 100`);
});

test('a field becomes a column, with its values of the packets in sight', async () => {
  await at('/frame/8');
  await page.locator('.leaf:has-text("Topic: home/kitchen/temperature")').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Show as a column' }).click();
  await page.waitForSelector('.row.head >> text=mqtt.topic');
  const cell = '.row.picked [class*="mqtt.topic"]:text-is("home/kitchen/temperature")';
  await page.waitForSelector(cell);
  await page.reload();
  await page.waitForSelector(cell);
});

test('rows have the colours of the rules Wireshark begins with', async () => {
  await at('/frame/91');
  await page.waitForSelector('.row.picked.c-rst');
  await at('/frame/3');
  await page.waitForSelector('.row.c-synfin:has-text("[SYN]")');
  await page.waitForSelector('.row.c-tcp:has-text("Connect Command")');
  const shade = row => page.evaluate(r => getComputedStyle(document.querySelector(r)).backgroundColor, row);
  assert.notEqual(await shade('.row.c-synfin'), await shade('.row.c-tcp'));
});

test('the packets of the conversation are bracketed', async () => {
  await at('/frame/3');
  await page.waitForSelector('.row.picked.talk.here');
  const numbers = await page.locator('.rows .row.talk .f-no').allInnerTexts();
  const want = frames('tcp.stream == 0'), shown = (await page.locator('.rows .row .f-no').allInnerTexts()).map(Number);
  assert.deepEqual(numbers.map(Number), want.filter(n => shown.includes(n)));
});

test('the time format is switched', async () => {
  await at('/packets');
  await page.waitForSelector('.row >> text=0.000217000');
  await page.selectOption('#time', 'e');
  await page.waitForSelector('.row >> text=1700000000.000217000');
  await page.selectOption('#time', 'd');
  await page.waitForFunction(() => document.querySelectorAll('.rows .f-time')[3]?.textContent === '0.000217000');
});

test('the keyboard walks, marks, finds and goes', async () => {
  await at('/packets');
  await counted('100 packets');
  await page.click('.rows .row >> nth=0');
  await page.keyboard.press('Control+ArrowDown');
  await page.waitForSelector('.row.picked:has-text("SYN, ACK")');
  await page.keyboard.press('Control+m');
  await page.waitForSelector('.row.marked.picked');
  await page.keyboard.press('Control+g');
  await page.waitForSelector('dialog[open] input:focus');
  await page.keyboard.type('91');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.row.picked:has-text("RST")');
  await page.keyboard.press('Control+f');
  await page.waitForSelector('dialog[open] input:focus');
  await page.keyboard.type('temperature');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.row.picked:has-text("home/kitchen/temperature")');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  assert.match(page.url(), /frame\/8$/); // from 91 the search begins anew
  await page.keyboard.press('n');
  await page.waitForFunction(what => new RegExp(what).test(location.href), /frame\/28$/.source);
  await page.keyboard.press('p');
  await page.waitForFunction(what => new RegExp(what).test(location.href), /frame\/8$/.source);
  await page.keyboard.press('Control+Shift+ArrowLeft');
  await page.waitForFunction(what => new RegExp(what).test(location.href), /frame\/2$/.source);
  await page.keyboard.press('Control+.');
  await page.waitForFunction(what => new RegExp(what).test(location.href), /frame\/3$/.source);
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filter');
});

test('a conversation is followed as MQTT, text and bytes', async () => {
  await at('/frame/8');
  await page.waitForSelector('.leaf');
  await page.keyboard.press('Control+Alt+t');
  await page.waitForSelector('.piece:has-text("CONNECT")');
  assert.match(await page.locator('.pieces').innerText(), /home\/kitchen\/temperature[\s\S]*21\.5/);
  await page.getByRole('button', { name: 'Text', exact: true }).click();
  await page.waitForSelector('.piece pre:has-text("thermometer")');
  await page.getByRole('button', { name: 'Hex', exact: true }).click();
  await page.waitForSelector('.piece pre:has-text("10 18 00 04 4d 51 54 54")');
});

test('endpoints of IP and TCP are those of weir stats', async () => {
  for (const kind of ['ip', 'tcp']) {
    await at('/stats/endpoints/' + kind);
    await page.waitForSelector('.side-main tbody tr');
    const want = JSON.parse(weir('stats', 'endpoints', kind, '-r', SAMPLE, '--json'));
    const shown = await page.locator('.side-main tbody tr').evaluateAll(all => all.map(r => [...r.cells].map(c => c.innerText)));
    assert.equal(shown.length, want.length);
    want.forEach((w, i) => {
      assert.equal(shown[i][0], w.address);
      assert.ok(shown[i].includes(String(w.packets)), `${kind} ${shown[i]}`);
    });
    await page.reload();
  }
});

test('a finding leads to its packet', async () => {
  await at('/findings');
  await page.waitForSelector('.finding');
  const said = JSON.parse((() => { try { return weir('explain', SAMPLE, '--json', '--lang', 'en'); } catch (e) { return e.stdout; } })());
  assert.equal(await page.locator('.finding').count(), said.findings.length);
  assert.equal(await page.locator('.verdict-text').innerText(), said.verdict.text);
  await page.click('.finding:has-text("tcp.reset") .frame-link');
  await page.waitForSelector('.row.picked:has-text("RST")');
});

test('two runs are compared side by side', async () => {
  weir('edit', SAMPLE, '-w', server.dir + '/short.pcapng', '--frames', '10', '-v');
  await page.setInputFiles('#file', server.dir + '/short.pcapng');
  await page.waitForFunction(what => new RegExp(what).test(location.href), /c\/short/.source);
  await page.goto(server.url + '#/diff?good=sample.pcapng');
  await page.selectOption('#bad', 'short.pcapng');
  await page.waitForSelector('.diff-table');
  assert.match(await page.locator('.verdict-text').innerText(), /PUBACK|frame 10/);
  const missing = page.locator('.d-missing');
  assert.ok((await missing.count()) >= 1);
  await missing.first().locator('.frame-link').click();
  await page.waitForFunction(what => new RegExp(what).test(location.href), /c\/sample\.pcapng\/frame\/10$/.source);
});

test('a key opens what is encrypted', async () => {
  await page.goto(server.url + '#/c/tls.pcap/packets');
  await page.waitForSelector('.row:has-text("Application Data")');
  assert.equal(await page.locator('.row:has-text("vault/temperature")').count(), 0);
  await page.click('#capture-menu');
  await page.getByRole('menuitem', { name: 'Give a key' }).click();
  await page.setInputFiles('#key-file', server.made + '/keys.log');
  await page.waitForSelector('.row:has-text("vault/temperature")');
  await page.click('.row:has-text("vault/temperature")');
  await page.waitForSelector('.sources [role=tab] >> nth=1');
  await page.locator('.leaf:has-text("Topic: vault/temperature")').click();
  assert.equal(await marked('ascii'), 'vault/temperature');
  await page.click('#capture-menu');
  await page.getByRole('menuitem', { name: 'Give a key' }).click();
  await page.getByRole('button', { name: 'Forget the keys' }).click();
  await page.waitForFunction(() => !document.body.innerText.includes('vault/temperature'));
});

test('topics, clients, waterfall, ladder and volume show what was captured', async () => {
  await at('/mqtt');
  await page.click('.topic:has-text("temperature")');
  await page.waitForSelector('.topic-last:has-text("21.5")');
  await page.waitForSelector('.plot canvas');
  await page.getByRole('button', { name: /^Clients/ }).click();
  await page.waitForSelector('td:has-text("pump-7")');
  await at('/waterfall');
  await page.waitForSelector('.fall:has-text("thermometer") .step:has-text("PUBLISH QoS 1")');
  await at('/ladder');
  await page.waitForSelector('.ladder-row:has-text("CONNECT thermometer")');
  assert.equal(await page.locator('.party.server').count(), 1);
  await at('/volume');
  await page.waitForSelector('.big-number');
  const { tables } = await (await fetch(server.url + 'v1/captures/sample.pcapng/stats/volume')).json();
  assert.equal(await page.locator('.volume-grid section').count(), tables.filter(t => t.rows.length).length);
  const billed = tables[0].rows.reduce((sum, r) => sum + r.billed, 0).toLocaleString('en');
  assert.ok((await page.locator('.big-number').innerText()).includes(billed));
});

test('what was published and what was delivered are counted apart', async () => {
  await at('/mqtt');
  await page.waitForSelector('.topic:has-text("temperature")');
  assert.deepEqual(await page.locator('.topic-heads span').allInnerTexts(), ['Published', 'Delivered']);
  const { topics } = await (await fetch(server.url + 'v1/captures/sample.pcapng/mqtt')).json();
  const sum = key => topics.filter(x => x.topic.startsWith('home/')).reduce((n, x) => n + x[key], 0).toLocaleString('en');
  assert.deepEqual(await page.locator('.topic:has-text("home") >> nth=0').locator('.n').allInnerTexts(), [sum('published'), sum('delivered')]);
  assert.notEqual(sum('delivered'), '0');
});

test('the ladder opens at its first party, and follows who picks an arrow', async () => {
  await page.setViewportSize({ width: 420, height: 800 });
  await at('/ladder?filter=' + encodeURIComponent('mqtt.msgtype == 8 || tcp.stream == 2')); // its first arrow is right of its first party
  await page.waitForSelector('.ladder-row.picked');
  const across = () => page.evaluate(() => document.querySelector('.ladder').scrollLeft);
  await page.waitForTimeout(300);
  assert.equal(await across(), 0);
  await page.evaluate(() => { document.querySelector('.ladder').scrollLeft = 1e6; });
  const far = await across();
  assert.ok(far > 0);
  await page.locator('.ladder').press('ArrowDown');
  await page.waitForFunction(f => document.querySelector('.ladder').scrollLeft !== f, far);
});

test('the words of an arrow are in sight as long as the arrow is', async () => {
  await page.setViewportSize({ width: 420, height: 800 });
  await at('/ladder'); // the first party's arrows lead to the fourth, their middle is right of the screen
  await page.waitForSelector('.ladder-row.picked');
  for (const scrolled of [0, 150]) {
    await page.evaluate(to => { document.querySelector('.ladder').scrollLeft = to; }, scrolled);
    const words = await page.locator('.ladder-row:has-text("CONNECT thermometer") .arrow-text').boundingBox();
    assert.ok(words.x >= 0 && words.x + words.width <= 420, JSON.stringify(words));
  }
});

test('strings of a hostile device are text wherever they are shown', async () => {
  for (const view of ['packets', 'connections', 'findings', 'mqtt', 'mqtt/clients', 'waterfall', 'ladder', 'follow/mqtt/0', 'follow/tcp/0', 'stats/expert', 'volume']) {
    await page.goto(server.url + '#/c/hostile.pcap/' + view);
    await page.waitForFunction(() => document.querySelector('main').innerText.length > 20 && !document.querySelector('.wait'));
    await page.waitForTimeout(150);
    const seen = await page.evaluate(() => [window.hacked, document.querySelectorAll('main img, main script').length]);
    assert.deepEqual(seen, [undefined, 0], view);
  }
  await page.goto(server.url + '#/c/hostile.pcap/packets');
  await page.click('.row:has-text("<script>")');
  await page.waitForSelector('.leaf:has-text("<script>")');
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(page.complaints, []);
});

test('hundreds of thousands of rows are walked with few in the document', async () => {
  await page.goto(server.url + '#/c/long.pcap/packets');
  await counted('420,000 packets');
  await page.click('.rows .row >> nth=0');
  await page.keyboard.press('End');
  await page.waitForSelector('.row.picked .f-no:text-is("420000")');
  assert.ok((await page.locator('.rows .row').count()) < 100);
  await page.keyboard.press('ArrowUp');
  await page.waitForSelector('.row.picked .f-no:text-is("419999")');
  await page.keyboard.press('Home');
  await page.waitForSelector('.row.picked .f-no:text-is("1")');
  await page.hover('.list');
  await page.mouse.wheel(0, 66);
  await page.waitForSelector('.rows .row:first-child .f-no:text-is("4")');
  await page.evaluate(() => { const l = document.querySelector('.list'); l.scrollTop = l.scrollHeight / 2; });
  await page.waitForFunction(() => { const n = Number(document.querySelector('.rows .row .f-no')?.textContent); return n > 195000 && n < 225000; });
});

test('a link to a packet shows it, also within a filter', async () => {
  await at('/frame/91?filter=tcp.flags.reset == 1');
  await counted('1 of 100');
  await page.waitForSelector('.row.picked:has-text("RST")');
  await at('/frame/8');
  await page.waitForSelector('.row.picked:has-text("Publish")');
  await page.waitForSelector('.leaf:has-text("Topic: home/kitchen/temperature")');
});

test('series of one\'s own are drawn over time, stand in the address, and are taken away', async () => {
  await at('/stats/io');
  await page.waitForSelector('.plot canvas');
  const plots = async n => page.waitForFunction(n => document.querySelectorAll('.plot canvas').length === n, n);
  await plots(2);
  await page.click('summary');
  await page.fill('input[name=text]', 'mqtt.msgtype == 3');
  await page.click('form.add button');
  await plots(4); // packets and bytes of what passes the filter
  await page.selectOption('form.add select', 'AVG');
  await page.fill('input[name=field]', 'tcp.len');
  await page.fill('input[name=text]', 'mqtt');
  await page.click('form.add button');
  await plots(5);
  await page.reload();
  await plots(5);
  await page.waitForSelector('h3:has-text("AVG(tcp.len)mqtt")');
  await page.click('.chip:has-text("msgtype")');
  await plots(3);
  await page.fill('input[name=text]', 'mqtt.nix');
  await page.click('form.add button');
  await page.waitForSelector('.wrong:has-text("mqtt.nix")');
  await page.click('.chip:has-text("nix")');
  await plots(3);
});

test('work that takes long tells how far it is, and is given up when nobody waits for it', async () => {
  let id = '', given_up = false;
  await page.route('**/explain?*', r => { id = new URL(r.request().url()).searchParams.get('job'); }); // no answer comes
  await page.route('**/v1/jobs', r => r.fulfill({ json: { jobs: [{ id: 'f'.repeat(16), done: 9, size: 10 }, { id, done: 3, size: 4 }] } }));
  page.on('requestfailed', r => { given_up ||= r.url().includes('/explain?'); });
  await at('/findings');
  await page.waitForFunction(() => document.querySelector('.wait progress')?.value === 0.75);
  assert.match(id, /^[0-9a-f]{16}$/);
  await at('/packets');
  await counted('100 packets');
  for (let i = 0; i < 1200 && !given_up; i++) await page.waitForTimeout(50); // the browser tells it when it has time
  assert.ok(given_up);
});
