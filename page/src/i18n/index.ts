// SPDX-License-Identifier: Apache-2.0
// The page's words. A sentence is whole in every language; %1, %2 are its arguments, {1:packet/packets} is the first word where
// argument 1 is 1 and the second where it is not.
import { effect } from '@preact/signals';
import { kept } from '../settings';
import { words } from './words';
import { more } from './more';
import { live } from './live';

export const LANGS = { en: 'English', ja: '日本語', zh: '中文' } as const;
export type Lang = keyof typeof LANGS;
const order: Lang[] = ['en', 'ja', 'zh'];
const all = { ...words, ...more, ...live };
export type Word = keyof typeof all;

const first = (): Lang => {
  for (const l of navigator.languages || [navigator.language]) {
    const found = order.find(o => l.toLowerCase().startsWith(o));
    if (found) return found;
  }
  return 'en';
};
export const lang = kept<Lang>('lang', first(), v => order.includes(v as Lang));
effect(() => {
  document.documentElement.lang = lang.value === 'zh' ? 'zh-Hans' : lang.value;
});

/** t gives a word or sentence in the language chosen. */
export function t(key: Word, ...args: (string | number)[]): string {
  const text: string = all[key][order.indexOf(lang.value)];
  return text.replace(/\{(\d):(\w+)\/(\w+)\}/g, (_, n, one, many) => (String(args[n - 1]) === '1' ? one : many))
    .replace(/%(\d)/g, (_, n) => String(args[n - 1] ?? ''));
}
/** tOr gives the word of a key made of what the server says, or the text itself where there is none. */
export const tOr = (key: string, otherwise: string): string => (key in all ? t(key as Word) : otherwise);
