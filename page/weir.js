// SPDX-License-Identifier: Apache-2.0
// The page of `weir serve`. It knows only the API under /v1. Text of packets reaches the document by textContent alone.
'use strict';
const $ = id => document.getElementById(id);
const ROW = 22, PAGE = 200, PAGES_KEPT = 60, HEIGHT_MAX = 8e6;

// ---- asking ----
{
  const m = /(?:^#|&)token=([0-9a-f]+)/.exec(location.hash);
  if (m) { sessionStorage.setItem('token', m[1]); history.replaceState(null, '', location.pathname); }
}
const headers = () => { const t = sessionStorage.getItem('token'); return t ? {Authorization: 'Bearer ' + t} : {}; };
class Problem extends Error { constructor(p) { super(p.detail || p.title); this.problem = p; } }
async function ask(path, options = {}) {
  const r = await fetch('/v1/' + path, {...options, headers: headers()});
  if (r.ok) return r.status === 204 ? null : options.raw ? r : r.json();
  throw new Problem(await r.json().catch(() => ({detail: 'the server answers ' + r.status})));
}
const here = (rest, query) => {
  const q = new URLSearchParams(Object.entries(query || {}).filter(([, v]) => v !== '' && v != null));
  return 'captures/' + encodeURIComponent(now.capture) + '/' + rest + (q.size ? '?' + q : '');
};
const make = (tag, text, cls) => {
  const e = document.createElement(tag);
  if (text != null) e.textContent = text;
  if (cls) e.className = cls;
  return e;
};
const say = text => { $('state').textContent = text; };
const number = n => Number(n).toLocaleString('en');

// ---- what is shown ----
const now = {capture: '', filter: '', total: 0, counted: false, pages: new Map(), picked: -1, frame: null, stream: null, view: 'packets', turn: 0};
let stop = new AbortController();

function begin() { // a new capture, filter or time format: all that was read is forgotten
  stop.abort();
  stop = new AbortController();
  now.turn++;
  Object.assign(now, {total: 0, counted: false, picked: -1, frame: null, stream: null});
  now.pages.clear();
  $('rows').replaceChildren();
  $('tree').replaceChildren();
  $('bytes').replaceChildren();
  $('list').scrollTop = 0;
  if (!now.capture) { say('No capture is open. Drop a file here.'); return; }
  address();
  say('reading…');
  page(0).then(count).catch(failed);
  if (now.view !== 'packets') show(now.view);
}
function failed(e) {
  if (e.name === 'AbortError') return;
  if (e.problem && e.problem.parameter === 'filter') complain(e.problem, now.filter);
  say(e.message);
}
function address() {
  const q = new URLSearchParams({capture: now.capture});
  if (now.filter) q.set('filter', now.filter);
  if (now.frame) q.set('frame', now.frame.no);
  history.replaceState(null, '', '#' + q);
}

// page asks for one page of rows; a promise stands in the map until it is there.
function page(n) {
  if (now.pages.has(n)) return Promise.resolve(now.pages.get(n));
  const turn = now.turn;
  const wait = ask(here('frames', {offset: n * PAGE, limit: PAGE, filter: now.filter, time: $('time').value}), {signal: stop.signal})
    .then(got => {
      if (turn !== now.turn) return [];
      now.pages.set(n, got.frames);
      if (!now.counted) now.total = Math.max(now.total, n * PAGE + got.frames.length);
      if (now.pages.size > PAGES_KEPT) now.pages.delete(now.pages.keys().next().value);
      draw();
      return got.frames;
    }, e => { if (turn === now.turn) now.pages.delete(n); throw e; });
  now.pages.set(n, wait);
  return wait;
}
async function count() {
  const turn = now.turn;
  const got = await ask(here('frames', {limit: 0, count: 1, filter: now.filter}), {signal: stop.signal});
  if (turn !== now.turn) return;
  now.total = got.matched;
  now.counted = true;
  say(number(got.matched) + (now.filter ? ' of ' + number(got.read) : '') + ' packets' + (got.damaged ? '; the file is damaged: ' + got.damaged : ''));
  draw();
  const frame = now.wish;
  now.wish = 0;
  if (frame) packet(frame);
}

// ---- the packet list: only the rows in sight are in the document ----
const factor = () => Math.max(1, now.total * ROW / HEIGHT_MAX); // browsers limit heights
function draw() {
  const list = $('list'), rows = $('rows'), high = now.total * ROW / factor();
  rows.style.height = high + 'px';
  const visible = Math.ceil(list.clientHeight / ROW) + 1;
  const most = Math.max(1, high - list.clientHeight + ROW);
  const first = factor() === 1 ? Math.floor(list.scrollTop / ROW)
    : Math.floor(Math.min(1, list.scrollTop / most) * Math.max(0, now.total - visible + 1));
  const out = [];
  for (let i = first; i < Math.min(first + visible, now.total); i++) {
    const part = now.pages.get(Math.floor(i / PAGE));
    if (!part) page(Math.floor(i / PAGE)).catch(failed);
    const r = Array.isArray(part) ? part[i % PAGE] : null;
    const e = row(r, i);
    e.style.top = (factor() === 1 ? i * ROW : list.scrollTop + (i - first) * ROW) + 'px';
    out.push(e);
  }
  rows.replaceChildren(...out);
}
function row(r, i) {
  const e = make('div', null, 'row');
  e.setAttribute('role', 'row');
  if (!r) { e.append(make('span', '…')); return e; }
  const odd = r.malformed || r.severity === 'Error';
  const kind = /^(TCP|UDP|MQTT|TLS|DNS|HTTP)/.exec(r.protocol);
  e.classList.add(odd ? 'odd' : kind ? 'p-' + kind[1] : 'plain');
  if (i === now.picked) e.classList.add('picked');
  for (const k of ['no', 'time', 'source', 'destination', 'protocol', 'length', 'info']) {
    const c = make('span', r[k]);
    c.setAttribute('role', 'gridcell');
    if (k === 'info') c.title = r[k];
    e.append(c);
  }
  e.onclick = () => pick(i);
  return e;
}
async function pick(i) {
  if (i < 0 || i >= now.total) return;
  now.picked = i;
  const top = i * ROW, list = $('list');
  if (factor() === 1) {
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + 2 * ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + 2 * ROW - list.clientHeight;
  }
  draw();
  try {
    const rows = await page(Math.floor(i / PAGE));
    if (now.picked === i && rows[i % PAGE]) await packet(rows[i % PAGE].no);
  } catch (e) { failed(e); }
}
$('list').addEventListener('scroll', () => requestAnimationFrame(draw));
addEventListener('resize', draw);
$('list').addEventListener('keydown', e => {
  const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20}[e.key];
  const to = e.key === 'Home' ? 0 : e.key === 'End' ? now.total - 1 : step ? Math.max(0, Math.min(now.total - 1, now.picked + step)) : -1;
  if (to < 0) return;
  e.preventDefault();
  pick(to);
});

// ---- one packet: tree and bytes, each marking the other ----
async function packet(no) {
  const turn = now.turn;
  let got;
  try { got = await ask(here('frames/' + no), {signal: stop.signal}); } catch (e) { return failed(e); }
  if (turn !== now.turn) return;
  now.frame = got;
  now.stream = null;
  for (const f of got.tree) {
    const m = /^(tcp|udp)\.stream == (\d+)$/.exec(f.filter || '');
    if (m) now.stream = {protocol: m[1], number: +m[2], mqtt: got.tree.some(x => x.name === 'mqtt')};
  }
  address();
  drawTree(got);
  drawBytes(got);
}
function drawTree(got) {
  const closed = new Set(JSON.parse(localStorage.getItem('closed') || '["frame","eth","ip","tcp"]'));
  const lines = got.tree.map((f, i) => {
    const parent = i + 1 < got.tree.length && got.tree[i + 1].depth > f.depth;
    const e = make('div', '  '.repeat(f.depth) + (parent ? '▾ ' : '  ') + f.label, (f.depth ? '' : 'top ') + (f.severity || ''));
    e.title = (f.filter || f.name) + '\ndouble click: apply as filter';
    e.onclick = () => mark(i);
    e.ondblclick = () => { if (f.filter) { $('filter').value = f.filter; apply(); } };
    if (!f.depth && parent) e.addEventListener('click', ev => { if (ev.offsetX < 24) fold(i, !e.classList.contains('closed'), true); });
    return e;
  });
  const fold = (i, close, keep) => {
    const f = got.tree[i];
    lines[i].classList.toggle('closed', close);
    lines[i].textContent = (close ? '▸ ' : '▾ ') + f.label;
    for (let k = i + 1; k < lines.length && got.tree[k].depth > f.depth; k++) lines[k].hidden = close;
    if (!keep) return;
    if (close) closed.add(f.name); else closed.delete(f.name);
    localStorage.setItem('closed', JSON.stringify([...closed]));
  };
  got.lines = lines;
  got.open = i => { while (i > 0 && got.tree[i].depth) i--; if (lines[i].classList.contains('closed')) fold(i, false, false); };
  $('tree').replaceChildren(...lines);
  got.tree.forEach((f, i) => { if (!f.depth && closed.has(f.name) && got.tree[i + 1] && got.tree[i + 1].depth) fold(i, true, false); });
}
function drawBytes(got) {
  const out = [];
  got.cells = got.sources.map((s, n) => {
    if (got.sources.length > 1) out.push(make('h2', s.name + ' (' + number(s.length) + ' bytes)'));
    const cells = [], shown = Math.min(s.hex.length / 2, 65536);
    for (let at = 0; at < shown; at += 16) {
      const line = make('div', at.toString(16).padStart(4, '0') + '  ', 'line'), text = [];
      for (let i = at; i < at + 16; i++) {
        if (i >= shown) { line.append('   '); continue; }
        const two = s.hex.slice(2 * i, 2 * i + 2), v = parseInt(two, 16);
        const h = make('span', two), a = make('span', v > 31 && v < 127 ? String.fromCharCode(v) : '.');
        h.onclick = a.onclick = () => findByte(n, i);
        cells.push([h, a]);
        text.push(a);
        line.append(h, ' ');
      }
      line.append(' ', ...text);
      out.push(line);
    }
    return cells;
  });
  $('bytes').replaceChildren(...out);
}
function mark(i) {
  const got = now.frame, f = got.tree[i];
  for (const e of document.querySelectorAll('#tree .picked, #bytes .mark')) e.classList.remove('picked', 'mark');
  got.lines[i].classList.add('picked');
  const cells = got.cells[f.source] || [];
  for (let at = f.offset; at < Math.min(f.offset + f.length, cells.length); at++) for (const c of cells[at]) c.classList.add('mark');
  if (f.length && cells[f.offset]) cells[f.offset][0].scrollIntoView({block: 'nearest'});
}
function findByte(source, at) { // the deepest, shortest field that has the byte
  let best = -1;
  now.frame.tree.forEach((f, i) => {
    if (f.source !== source || at < f.offset || at >= f.offset + f.length) return;
    if (best < 0 || f.length <= now.frame.tree[best].length) best = i;
  });
  if (best < 0) return;
  now.frame.open(best);
  mark(best);
  now.frame.lines[best].scrollIntoView({block: 'nearest'});
}

// ---- the filter bar ----
function complain(p, text) {
  const box = $('complaint');
  box.hidden = false;
  const bytes = new TextEncoder().encode(text);
  const before = new TextDecoder().decode(bytes.slice(0, p.offset)).length;
  const wide = Math.max(1, new TextDecoder().decode(bytes.slice(p.offset, p.offset + p.length)).length);
  const near = p.suggestions && p.suggestions.length ? '\ndid you mean ' + p.suggestions.join(', ') + '?' : '';
  box.textContent = text + '\n' + ' '.repeat(before) + '^' + '~'.repeat(wide - 1) + ' ' + (p.message || p.detail) + near;
  $('filter').className = 'bad';
}
let typed = 0;
async function check() {
  const text = $('filter').value, mine = ++typed;
  if (!text.trim()) { $('filter').className = ''; $('complaint').hidden = true; return; }
  const got = await ask('filter?' + new URLSearchParams({text})).catch(() => null);
  if (mine !== typed || !got) return;
  if (!got.valid) complain(got, text);
  else { $('filter').className = 'good'; $('complaint').hidden = !got.warnings.length; $('complaint').textContent = got.warnings.join('\n'); }
  const m = /^(.*?)([a-z_][\w.]*)$/i.exec(text);
  if (!m || m[2].length < 2) return;
  const names = await ask('fields?' + new URLSearchParams({prefix: m[2], limit: 30})).catch(() => null);
  if (mine !== typed || !names) return;
  $('names').replaceChildren(...names.fields.map(f => { const o = make('option', f.label); o.value = m[1] + f.name; return o; }));
}
function apply() {
  now.filter = $('filter').value.trim();
  check();
  begin();
}
$('filter').addEventListener('input', check);
$('bar').addEventListener('submit', e => { e.preventDefault(); apply(); });
$('clear').onclick = () => { $('filter').value = ''; apply(); };
$('time').onchange = begin;

// ---- findings, statistics, conversations ----
function frameLinks(list) {
  const p = make('p', 'frames ');
  for (const no of (list || []).slice(0, 20)) {
    const b = make('button', no);
    b.type = 'button';
    b.onclick = () => { $('filter').value = ''; now.filter = ''; show('packets'); begin(); now.wish = no; };
    p.append(b, ' ');
  }
  return p;
}
function finding(f) {
  const a = make('article', null, f.severity);
  a.append(make('strong', f.severity + ': ' + f.text), make('p', f.next), frameLinks(f.frames));
  return a;
}
const views = {
  async findings(box) {
    const e = await ask(here('explain', {filter: now.filter}), {signal: stop.signal});
    const all = Array.isArray(e.findings) ? e.findings : e.verdict ? [e.verdict] : [];
    const roles = (e.roles || []).map(r => r.role + ' ' + r.address + (r.client_id ? ' (' + r.client_id + ')' : '')).join(', ');
    box.replaceChildren(make('p', all.length ? number(all.length) + ' findings' : 'Nothing wrong was found.'), make('p', roles), ...all.map(finding));
  },
  async tables(box) {
    const out = [], kinds = ['protocols', 'conversations/tcp', 'endpoints/ip', 'mqtt', 'dns', 'expert', 'volume'];
    for (const kind of kinds) {
      const got = await ask(here('stats/' + kind, {filter: now.filter}), {signal: stop.signal});
      for (const t of got.tables) if (t.rows.length) out.push(make('h2', t.title), table(t.rows));
      box.replaceChildren(...out);
    }
  },
  async follow(box) {
    const s = now.stream;
    if (!s) { box.replaceChildren(make('p', 'Pick a packet of a TCP or UDP conversation first.')); return; }
    const got = await ask(here('follow/' + s.protocol + '/' + s.number), {signal: stop.signal});
    const ends = got.ends.map(e => e.address + ' port ' + e.port).join(' ↔ ');
    box.replaceChildren(make('h2', s.protocol + ' conversation ' + s.number), make('p', ends),
      ...got.pieces.slice(0, 5000).map(p => { const e = make('div', p.text, 'piece s' + p.side); e.title = 'frame ' + p.frame; return e; }));
  },
};
function table(rows) {
  const t = make('table'), head = t.createTHead().insertRow(), body = t.createTBody(), keys = Object.keys(rows[0]);
  for (const k of keys) head.append(make('th', k));
  for (const r of rows.slice(0, 200)) {
    const line = body.insertRow();
    for (const k of keys) {
      const v = r[k], c = line.insertCell();
      c.textContent = v == null ? '' : typeof v === 'object' ? JSON.stringify(v) : v;
      if (typeof v === 'number') c.className = 'n';
    }
  }
  return t;
}
function show(view) {
  now.view = view;
  for (const b of document.querySelectorAll('nav button')) b.setAttribute('aria-pressed', b.dataset.view === view);
  for (const s of document.querySelectorAll('main > section')) s.hidden = s.id !== view;
  if (view === 'packets') return draw();
  $(view).replaceChildren(make('p', 'reading…'));
  if (now.capture) views[view]($(view)).catch(e => { if (e.name !== 'AbortError') $(view).replaceChildren(make('p', e.message)); });
}
for (const b of document.querySelectorAll('nav button')) b.onclick = () => show(b.dataset.view);

// ---- captures ----
let captures = [];
async function list(pick) {
  captures = (await ask('captures')).captures;
  $('captures').replaceChildren(...captures.map(c => { const o = make('option', c.name + ' (' + number(c.size) + ' bytes)'); o.value = c.name; return o; }));
  const name = captures.some(c => c.name === pick) ? pick : captures.length ? captures[0].name : '';
  select(name);
}
function select(name) {
  now.capture = name;
  if (name) $('captures').value = name;
  const c = captures.find(x => x.name === name);
  $('delete').hidden = !c || c.fixed;
  $('download').hidden = !c;
  begin();
}
$('captures').onchange = () => select($('captures').value);
$('download').href = '#';
$('download').onclick = async e => {
  e.preventDefault();
  const r = await ask(here('file'), {raw: true}), a = make('a');
  a.href = URL.createObjectURL(await r.blob());
  a.download = now.capture;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
};
$('delete').onclick = async () => {
  if (!confirm('Delete ' + now.capture + '?')) return;
  try { await ask('captures/' + encodeURIComponent(now.capture), {method: 'DELETE'}); await list(); } catch (e) { failed(e); }
};
async function upload(file) {
  say('uploading ' + file.name + '…');
  try {
    const got = await ask('captures?' + new URLSearchParams({name: file.name}), {method: 'POST', body: file});
    await list(got.name);
  } catch (e) { failed(e); }
}
$('open').onclick = () => $('file').click();
$('file').onchange = () => { if ($('file').files[0]) upload($('file').files[0]); };
const main = document.querySelector('main');
addEventListener('dragover', e => { e.preventDefault(); main.classList.add('drop'); });
addEventListener('dragleave', () => main.classList.remove('drop'));
addEventListener('drop', e => { e.preventDefault(); main.classList.remove('drop'); if (e.dataTransfer.files[0]) upload(e.dataTransfer.files[0]); });
addEventListener('keydown', e => {
  if (e.key === '/' && e.ctrlKey) { e.preventDefault(); $('filter').focus(); }
});

{
  const q = new URLSearchParams(location.hash.slice(1));
  $('filter').value = now.filter = q.get('filter') || '';
  now.wish = +q.get('frame') || 0;
  if (now.filter) check();
  list(q.get('capture')).catch(failed);
}
