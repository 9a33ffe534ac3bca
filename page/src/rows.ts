// SPDX-License-Identifier: Apache-2.0
// The packet list's rows. Theory of operation: rows come in pages as they are looked at; a few pages are kept, the oldest
// gives way. The number of rows is known when the file was read once, which goes on beside and tells how far it is; of a
// capture that is being taken it grows until that ends.
import { batch, computed, effect, signal, untracked } from '@preact/signals';
import { Problem, aborted, at, get, lines } from './api';
import { isGrowing, known } from './sessions';
import { capture, filter } from './route';
import { COLUMNS, columns, time } from './settings';
import type { Frames, Row } from './types';

export const PAGE = 200;
const PAGES_KEPT = 120;
const ASKED_AT_ONCE = 4;

export const total = signal(0);
export const read = signal(0); // packets of the file, once counted
export const counted = signal(false);
export const progress = signal(0); // share of the file that was read, 0 to 1
export const growing = signal(false); // the end was reached, and more may come
export const damaged = signal('');
export const failure = signal<Error | null>(null);
export const drawn = signal(0); // grows when rows arrived
/** turn is another number for every other list: capture, filter, time format or columns changed. */
export const turn = signal(0);

const pages = new Map<number, Row[] | Promise<Row[]>>();
let stop = new AbortController();
let asked = 0;

/** added: the columns that are not the server's own, by name. */
export const added = (): string[] => columns.value.map(c => c.id).filter(id => !COLUMNS.some(c => c.id === id));

const addedNow = computed(() => added().join(','));

function fail(e: unknown): void {
  if (!aborted(e)) failure.value = e as Error;
}

async function fetchPage(n: number, signal: AbortSignal): Promise<Row[]> {
  const got = await get<Frames>(at(capture.peek(), 'frames', {
    offset: n * PAGE, limit: PAGE, filter: filter.peek(), time: time.peek(), columns: addedNow.peek(),
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

/** isShort tells whether a page was asked for when the file had less in it. */
const isShort = (n: number, there: Row[]) => there.length < Math.min(PAGE, total.peek() - n * PAGE);

/** page gives a page of rows, asking for it when it is not there. */
export function page(n: number): Promise<Row[]> {
  const there = pages.get(n);
  if (there && !(Array.isArray(there) && isShort(n, there))) return Promise.resolve(there);
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
  const short = Array.isArray(there) && isShort(n, there);
  if (Array.isArray(there) && (there[i % PAGE] || !short)) return there[i % PAGE] || null;
  if ((!there || short) && asked < ASKED_AT_ONCE) page(n).catch(fail);
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

interface Progress { event: string; read?: number; matched?: number; done?: number; size?: number; complete?: boolean; damaged?: string }

/** survey reads the whole file once and tells how many rows there are; of a growing one until it ends. */
async function survey(signal: AbortSignal): Promise<void> {
  await known;
  const tail = isGrowing(capture.peek());
  for await (const e of lines<Progress>(at(capture.peek(), 'stream', { form: 'jsonl', limit: 0, filter: filter.peek(), tail }), signal)) {
    if (signal.aborted) return;
    if (e.matched === undefined) continue;
    batch(() => {
      total.value = Math.max(total.peek(), e.matched!);
      read.value = e.read || 0;
      progress.value = e.size ? Math.min(1, (e.done || 0) / e.size) : 1;
      growing.value = e.event === 'caught_up' || (growing.peek() && e.event !== 'end');
      if (e.event === 'end') total.value = e.matched!;
      if (e.event !== 'progress' || growing.peek()) counted.value = true;
      damaged.value = e.damaged || '';
    });
  }
}

/** firstPage asks for the first rows; of a capture that only just began there may be no file yet. */
async function firstPage(signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await page(0);
      return;
    } catch (e) {
      await known;
      if (signal.aborted || !isGrowing(capture.peek()) || isFilterProblem(e as Error)) throw e;
      await new Promise(done => setTimeout(done, 400));
    }
  }
}

async function begin(): Promise<void> {
  stop.abort();
  stop = new AbortController();
  pages.clear();
  const { signal } = stop;
  batch(() => {
    total.value = read.value = progress.value = 0;
    counted.value = growing.value = false;
    damaged.value = '';
    failure.value = null;
    turn.value++;
  });
  if (!capture.peek()) return;
  await firstPage(signal);
  await survey(signal);
}

/** again reads the list anew: the capture grew, or a key was given. */
export const again = (): void => void begin().catch(fail);

effect(() => {
  void (capture.value, filter.value, time.value, addedNow.value);
  untracked(again);
});

export const isFilterProblem = (e: Error | null): e is Problem => e instanceof Problem && e.body.parameter === 'filter';
