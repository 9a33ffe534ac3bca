// SPDX-License-Identifier: Apache-2.0
// Hooks that several parts share.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from '@tanstack/virtual-core';
import { aborted, get } from './api';
import type { RefObject } from 'preact';

export interface Loaded<T> {
  data?: T;
  error?: Error;
  loading: boolean;
  done: number; // share of the work, 0 to 1
  again: () => void;
}

interface Job { id: string; done: number; size: number }
const LOOK_MS = 600;

/** useData asks for a path, again when it changes; what nobody waits for any more is cancelled, which ends the work too. */
export function useData<T>(path: string | null): Loaded<T> {
  const [got, set] = useState<{ path: string | null; data?: T; error?: Error }>({ path: null });
  const [turn, setTurn] = useState(0);
  const [done, setDone] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    const job = [...crypto.getRandomValues(new Uint8Array(16))].map(b => (b % 16).toString(16)).join('');
    const look = setInterval(async () => {
      const mine = (await get<{ jobs: Job[] }>('jobs', stop.signal).catch(() => null))?.jobs.find(j => j.id === job);
      if (mine?.size) setDone(mine.done / mine.size);
    }, LOOK_MS);
    setDone(0);
    get<T>(path + (path.includes('?') ? '&job=' : '?job=') + job, stop.signal).then(
      data => set({ path, data }),
      error => aborted(error) || set({ path, error }),
    ).finally(() => clearInterval(look));
    return () => stop.abort();
  }, [path, turn]);
  const mine = got.path === path;
  return { data: mine ? got.data : undefined, error: mine ? got.error : undefined, loading: !mine && path !== null, done, again: () => setTurn(turn + 1) };
}

/** useVirtual gives the rows in sight of a list of equal or estimated heights. */
export function useVirtual(count: number, height: (i: number) => number, box: RefObject<HTMLElement | null>, overscan = 8) {
  const [, draw] = useState(0);
  const made = useRef<Virtualizer<HTMLElement, HTMLElement> | null>(null);
  const options = {
    count, overscan,
    getScrollElement: () => box.current,
    estimateSize: height,
    scrollToFn: elementScroll,
    observeElementRect, observeElementOffset,
    onChange: () => draw(n => n + 1),
  };
  if (!made.current) made.current = new Virtualizer<HTMLElement, HTMLElement>(options);
  made.current.setOptions(options);
  useEffect(() => made.current!._didMount(), []);
  useEffect(() => made.current!._willUpdate());
  return made.current;
}

/** useWidth follows the width of an element in pixels. */
export function useWidth(box: RefObject<HTMLElement | null>): number {
  const [wide, set] = useState(0);
  useEffect(() => {
    const see = new ResizeObserver(([e]) => set(Math.round(e.contentRect.width)));
    see.observe(box.current!);
    return () => see.disconnect();
  }, []);
  return wide;
}
