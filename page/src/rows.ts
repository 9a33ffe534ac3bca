// SPDX-License-Identifier: Apache-2.0
// The packet list's rows. Theory of operation: rows come in pages as they are looked at; a few pages are kept, the oldest
// gives way. The number of rows is known at the end of a count, which runs beside; until then it grows with what is read.
import { batch, effect, signal, untracked } from '@preact/signals';
import { Problem, aborted, at, get } from './api';
import { capture, filter } from './route';
import { COLUMNS, columns, time } from './settings';
import type { Frames, Row } from './types';

export const PAGE = 200;
const PAGES_KEPT = 120;
const ASKED_AT_ONCE = 4;

export const total = signal(0);
export const read = signal(0); // packets of the file, once counted
export const counted = signal(false);
export const damaged = signal('');
export const failure = signal<Error | null>(null);
export const drawn = signal(0); // grows when rows arrived
/** turn is another number for every other list: capture, filter, time format or columns changed. */
export const turn = signal(0);

const pages = new Map<number, Row[] | Promise<Row[]>>();
let stop = new AbortController();
let asked = 0;

const ownColumns = () => columns.value.map(c => c.id).filter(id => !COLUMNS.some(c => c.id === id));

function fail(e: unknown): void {
  if (!aborted(e)) failure.value = e as Error;
}

async function fetchPage(n: number, signal: AbortSignal): Promise<Row[]> {
  const got = await get<Frames>(at(capture.peek(), 'frames', {
    offset: n * PAGE, limit: PAGE, filter: filter.peek(), time: time.peek(), columns: untracked(ownColumns).join(','),
  }), signal);
  if (signal.aborted) return [];
  pages.set(n, got.frames);
  batch(() => {
    if (!counted.peek()) total.value = Math.max(total.peek(), n * PAGE + got.frames.length);
    drawn.value++;
  });
  for (const old of pages.keys()) {
    if (pages.size <= PAGES_KEPT) break;
    if (Array.isArray(pages.get(old)) && old !== n) pages.delete(old);
  }
  return got.frames;
}

/** page gives a page of rows, asking for it when it is not there. */
export function page(n: number): Promise<Row[]> {
  const there = pages.get(n);
  if (there) return Promise.resolve(there);
  const { signal } = stop;
  asked++;
  const wait = fetchPage(n, signal).catch(e => {
    if (pages.get(n) === wait) pages.delete(n);
    throw e;
  }).finally(() => asked--);
  pages.set(n, wait);
  return wait;
}

/** rowAt gives a row when it is here; else it is on its way, and `drawn` tells when it came. */
export function rowAt(i: number): Row | null {
  const n = Math.floor(i / PAGE);
  const there = pages.get(n);
  if (Array.isArray(there)) return there[i % PAGE] || null;
  if (!there && asked < ASKED_AT_ONCE) page(n).catch(fail);
  return null;
}

/** count gives how many packets pass a filter. */
export async function count(text: string, signal = stop.signal): Promise<Frames> {
  return get<Frames>(at(capture.peek(), 'frames', { limit: 0, count: true, filter: text }), signal);
}

/** both is a filter that wants what is shown and something else. */
export const both = (more: string): string => (filter.peek() ? `(${filter.peek()}) && ${more}` : more);

/** indexOf gives the row of a frame in this list: the row itself, or the next one where the filter hides it. */
export async function indexOf(no: number): Promise<number> {
  if (!filter.peek()) return no - 1;
  return (await count(both('frame.number < ' + no))).matched;
}

async function begin(): Promise<void> {
  stop.abort();
  stop = new AbortController();
  pages.clear();
  const { signal } = stop;
  batch(() => {
    total.value = read.value = 0;
    counted.value = false;
    damaged.value = '';
    failure.value = null;
    turn.value++;
  });
  if (!capture.peek()) return;
  await page(0);
  const got = await count(filter.peek(), signal);
  if (signal.aborted) return;
  batch(() => {
    total.value = got.matched;
    read.value = got.read;
    damaged.value = got.damaged || '';
    counted.value = true;
  });
}

/** again reads the list anew: the capture grew, or a key was given. */
export const again = (): void => void begin().catch(fail);

effect(() => {
  void (capture.value, filter.value, time.value, ownColumns());
  untracked(again);
});

export const isFilterProblem = (e: Error | null): e is Problem => e instanceof Problem && e.body.parameter === 'filter';
