// SPDX-License-Identifier: Apache-2.0
// What a person chose, kept by the browser: theme, language, time format, columns, folded branches.
import { effect, signal, type Signal } from '@preact/signals';

/** kept is a signal whose value outlives the page; what was stored and is no longer understood is forgotten. */
export function kept<T>(name: string, otherwise: T, fine: (v: unknown) => boolean): Signal<T> {
  let value = otherwise;
  try {
    const stored = JSON.parse(localStorage.getItem('weir.' + name) || 'null');
    if (stored !== null && fine(stored)) value = stored;
  } catch { /* as if nothing was stored */ }
  const s = signal(value);
  effect(() => {
    try {
      localStorage.setItem('weir.' + name, JSON.stringify(s.value));
    } catch { /* no room: it lasts as long as the page */ }
  });
  return s;
}

const oneOf = (...all: string[]) => (v: unknown) => all.includes(v as string);
const isText = (v: unknown) => typeof v === 'string';
const texts = (v: unknown) => Array.isArray(v) && v.every(isText);

export type Theme = 'system' | 'light' | 'dark';
export const theme = kept<Theme>('theme', 'system', oneOf('system', 'light', 'dark'));

const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(darkSystem.matches);
darkSystem.addEventListener('change', e => (systemDark.value = e.matches));
export const isDark = (): boolean => (theme.value === 'system' ? systemDark.value : theme.value === 'dark');
effect(() => {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
});

/** Time formats are those of the server (and of tshark -t). */
export const TIMES = ['r', 'd', 'dd', 'ad', 'ud', 'a', 'u', 'e'] as const;
export const time = kept<string>('time', 'r', oneOf(...TIMES));

export interface Column {
  id: string; // a column of the server's row, or a field's name
  wide: number; // pixels; 0: what is left
}
export const COLUMNS: Column[] = [
  { id: 'no', wide: 72 }, { id: 'time', wide: 112 }, { id: 'source', wide: 136 }, { id: 'destination', wide: 136 },
  { id: 'protocol', wide: 72 }, { id: 'length', wide: 64 }, { id: 'info', wide: 0 },
];
const isColumn = (c: unknown): boolean =>
  typeof c === 'object' && c !== null && isText((c as Column).id) && typeof (c as Column).wide === 'number';
export const columns = kept<Column[]>('columns', COLUMNS, v => Array.isArray(v) && v.length > 0 && v.every(isColumn));

/** Branches of the tree a person folded (-name) or unfolded (name), by field name. */
export const branches = kept<string[]>('branches', [], texts);
export const recent = kept<string[]>('recent', [], texts);

/** Shares of the packet view in percent: list against detail, tree against bytes. */
export const split = kept<{ list: number; tree: number }>('split', { list: 52, tree: 56 }, v =>
  typeof v === 'object' && v !== null && typeof (v as { list: unknown }).list === 'number' && typeof (v as { tree: unknown }).tree === 'number');
