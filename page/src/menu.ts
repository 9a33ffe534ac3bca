// SPDX-License-Identifier: Apache-2.0
// What can be done with a value of a packet, wherever it is shown: the context menu's lines.
import { signal } from '@preact/signals';
import { t } from './i18n';
import { filter, setFilter } from './route';

export interface Choice {
  label: string;
  hint?: string;
  act: () => void;
  off?: boolean;
}
interface Opened {
  x: number;
  y: number;
  title?: string;
  choices: (Choice | null)[]; // null: a line between groups
  back: HTMLElement | null; // has the focus again afterwards
}
export const opened = signal<Opened | null>(null);

/** openMenu opens where the pointer is, or below the element for the keyboard. */
export function openMenu(e: MouseEvent | KeyboardEvent, choices: (Choice | null)[], title?: string, below?: Element | null): void {
  e.preventDefault();
  e.stopPropagation();
  const r = (below || (e.currentTarget as HTMLElement)).getBoundingClientRect();
  const pointed = e instanceof MouseEvent && (e.clientX || e.clientY);
  opened.value = {
    x: pointed ? (e as MouseEvent).clientX : r.left + 16, y: pointed ? (e as MouseEvent).clientY : Math.min(r.bottom, r.top + 24),
    title, choices, back: document.activeElement as HTMLElement | null,
  };
}

const join = (op: string, text: string) => (filter.peek() ? `(${filter.peek()}) ${op} ${text}` : text);

/** filterChoices are Wireshark's ways to apply a value as filter. */
export function filterChoices(text: string): Choice[] {
  const isNow = !!filter.peek();
  return [
    { label: t('applyFilter'), hint: text, act: () => setFilter(text) },
    { label: t('applyNot'), act: () => setFilter(`!(${text})`) },
    { label: t('applyAnd'), off: !isNow, act: () => setFilter(join('&&', text)) },
    { label: t('applyOr'), off: !isNow, act: () => setFilter(join('||', text)) },
    { label: t('applyAndNot'), off: !isNow, act: () => setFilter(join('&&', `!(${text})`)) },
  ];
}
export const copyChoice = (label: string, text: string): Choice => ({ label, act: () => void navigator.clipboard?.writeText(text) });
