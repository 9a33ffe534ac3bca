// SPDX-License-Identifier: Apache-2.0
// The address after #: /c/CAPTURE/VIEW/ARG...?filter=... What is shown is in the address, so it can be kept and sent.
import { computed, signal } from '@preact/signals';

interface Route {
  capture: string;
  view: string;
  args: string[];
  query: Record<string, string>;
}

export function parse(hash: string): Route {
  const [path, rest] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const parts = path.split('/').filter(Boolean).map(p => {
    try {
      return decodeURIComponent(p);
    } catch {
      return p;
    }
  });
  const query = Object.fromEntries(new URLSearchParams(rest || ''));
  if (parts[0] === 'c' && parts[1]) return { capture: parts[1], view: parts[2] || '', args: parts.slice(3), query };
  return { capture: '', view: parts[0] || 'captures', args: parts.slice(1), query };
}

export function format(r: Route): string {
  const path = (r.capture ? ['c', r.capture, r.view, ...r.args] : [r.view === 'captures' ? '' : r.view, ...r.args])
    .filter(Boolean).map(encodeURIComponent).join('/');
  const kept = Object.entries(r.query).filter(([, v]) => v);
  return '#/' + path + (kept.length ? '?' + new URLSearchParams(kept) : '');
}

export const route = signal<Route>(parse(location.hash));
addEventListener('hashchange', () => (route.value = parse(location.hash)));

/** go shows another place; what is not named stays. `quietly` leaves no step in the browser's history. */
export function go(to: Partial<Route>, quietly = false): void {
  const next = { ...route.peek(), ...to };
  const hash = format(next);
  if (hash === (location.hash || '#/')) return;
  history[quietly ? 'replaceState' : 'pushState'](null, '', hash);
  route.value = next;
}
addEventListener('popstate', () => (route.value = parse(location.hash)));

/** href is the address of another place, for links. */
export const href = (to: Partial<Route>): string => format({ ...route.value, ...to });

export const capture = computed(() => route.value.capture);
export const filter = computed(() => route.value.query.filter || '');
/** view of a capture: a frame is shown in the packet view. */
export const view = computed(() => (route.value.view === 'frame' ? 'packets' : route.value.view));
export const frameAsked = computed(() => (route.value.view === 'frame' ? Number(route.value.args[0]) || 0 : 0));

export const setFilter = (text: string): void => go({ query: { ...route.peek().query, filter: text.trim() } });
/** showFrame goes to a packet in the list; without a filter unless it is to be kept. */
export const showFrame = (no: number, keepFilter = false): void =>
  go({ view: 'frame', args: [String(no)], query: keepFilter ? route.peek().query : {} });
