// SPDX-License-Identifier: Apache-2.0
// The packet that is looked at: which row, its tree and bytes, the field marked in both, and moving about by it.
import { batch, computed, effect, signal, untracked } from '@preact/signals';
import { aborted, at, get } from './api';
import { capture, filter, frameAsked, go, route, view } from './route';
import { kept } from './settings';
import { PAGE, both, count, counted, failure, indexOf, page, total, turn } from './rows';
import type { Frame, Frames, Row } from './types';

export const picked = signal(-1); // row of the list
export const frame = signal<Frame | null>(null);
export const frameError = signal<Error | null>(null);
export const frameLoading = signal(false);
export const field = signal(-1); // index in the tree; its bytes are marked

let asking: AbortController | undefined;
async function load(no: number): Promise<void> {
  asking?.abort();
  const mine = (asking = new AbortController());
  frameLoading.value = true;
  try {
    const got = await get<Frame>(at(capture.peek(), 'frames/' + no), mine.signal);
    if (mine.signal.aborted) return;
    batch(() => { frame.value = got; frameError.value = null; field.value = -1; });
  } catch (e) {
    if (!aborted(e)) frameError.value = e as Error;
  }
  if (mine === asking) frameLoading.value = false;
}

let now = 0; // number of the frame that was asked for last
let way = 0; // counts the ways to a frame: who is overtaken gives up
/** asked is the frame the eye is on: its row is picked, its tree may still be under way. */
export const asked = (): number => now;

/** show looks at a frame without moving in the list. */
function show(no: number): void {
  now = no;
  if (view.peek() === 'packets') go({ view: 'frame', args: [String(no)] }, true);
  void load(no);
}

/** pick looks at the packet of a row. */
export async function pick(i: number): Promise<void> {
  if (i < 0 || i >= total.peek()) return;
  way++;
  picked.value = i;
  try {
    const row = (await page(Math.floor(i / PAGE)))[i % PAGE];
    if (row && picked.peek() === i) show(row.no);
  } catch (e) {
    if (!aborted(e)) failure.value = e as Error;
  }
}

/** goTo looks at a frame by its number, at its row or the nearest shown. */
export async function goTo(no: number): Promise<void> {
  const mine = ++way;
  try {
    const i = await indexOf(no);
    const rows = await page(Math.floor(i / PAGE));
    if (mine !== way) return;
    picked.value = i < total.peek() || rows[i % PAGE] ? i : total.peek() - 1;
    show(no);
  } catch (e) {
    if (!aborted(e)) failure.value = e as Error;
  }
}

export const step = (by: number): Promise<void> => pick(Math.max(0, Math.min(total.peek() - 1, picked.peek() + by)));

const rowsOf = (filter: string, offset: number) =>
  get<Frames>(at(capture.peek(), 'frames', { filter, offset, limit: 1 })).then(g => g.frames[0] as Row | undefined);

/** find goes to the next (or last before) shown frame that passes a filter, starting over at the end. */
export async function find(what: string, back: boolean): Promise<boolean> {
  const ahead = both(`(${what}) && frame.number ${back ? '<' : '>'} ${now}`);
  const whole = both(`(${what})`);
  let hit: Row | undefined;
  if (!back) hit = (await rowsOf(ahead, 0)) || (await rowsOf(whole, 0));
  else {
    const before = (await count(ahead)).matched;
    const all = before || (await count(whole)).matched;
    hit = all ? await rowsOf(before ? ahead : whole, all - 1) : undefined;
  }
  if (hit) await goTo(hit.no);
  return !!hit;
}

// ---- its conversation ----

interface Stream { protocol: 'tcp' | 'udp'; number: number; mqtt: boolean }
export const stream = computed<Stream | null>(() => {
  const tree = frame.value?.tree || [];
  for (const f of tree) {
    const m = /^(tcp|udp)\.stream == (\d+)$/.exec(f.filter || '');
    if (m) return { protocol: m[1] as 'tcp' | 'udp', number: Number(m[2]), mqtt: tree.some(x => x.name === 'mqtt') };
  }
  return null;
});
export const streamFilter = (s: Stream): string => `${s.protocol}.stream == ${s.number}`;

// ---- marks, kept for each capture ----

const isMarks = (v: unknown) => typeof v === 'object' && v !== null && !Array.isArray(v);
const allMarks = kept<Record<string, number[]>>('marks', {}, isMarks);
export const marks = computed(() => new Set(allMarks.value[capture.value] || []));
export function mark(no: number): void {
  const set = new Set(marks.peek());
  if (!set.delete(no)) set.add(no);
  allMarks.value = { ...allMarks.peek(), [capture.peek()]: [...set].sort((a, b) => a - b) };
}
export function toMark(back: boolean): void {
  const all = [...marks.peek()].sort((a, b) => a - b);
  const to = back ? all.filter(n => n < now).pop() ?? all.pop() : all.find(n => n > now) ?? all[0];
  if (to) void goTo(to);
}

// ---- what the address asks for ----

effect(() => {
  void turn.value;
  untracked(() => batch(() => { now = 0; picked.value = -1; frame.value = null; field.value = -1; frameError.value = null; }));
});
// Where a frame stands is known at once without a filter, with one when all is counted.
const placed = computed(() => counted.value || (!filter.value && total.value > 0));
effect(() => { // a deep link is followed, and one that is clicked later
  const no = frameAsked.value, ready = placed.value;
  void route.value.query.filter;
  if (no && ready && untracked(() => picked.value < 0 || now !== no)) untracked(() => void goTo(no));
});
effect(() => {
  const no = frameAsked.value;
  void turn.value;
  if (no && untracked(() => !placed.value)) untracked(() => void load(no));
});
