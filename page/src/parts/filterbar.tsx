// SPDX-License-Identifier: Apache-2.0
// The display filter: checked while it is typed, completed by the names of fields, with a caret under what is wrong.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, query } from '../api';
import { t } from '../i18n';
import { filter, setFilter } from '../route';
import { recent } from '../settings';
import type { Completion, FilterCheck } from '../types';

const typed = signal(filter.peek());
const checked = signal<{ text: string; got: FilterCheck } | null>(null);
const RECENT_MAX = 12;

interface Hint { kind: string; text: string; label: string; whole: string; cursor: number }
const KINDS: Record<string, string> = { protocol: 'P', field: 'F', value: '=', operator: '~', function: 'ƒ', recent: '↺' };

const encoder = new TextEncoder(), decoder = new TextDecoder();
const bytesOf = (text: string) => encoder.encode(text).length;
/** cut gives a part of text between two bytes: places of the server count bytes. */
const cut = (text: string, from: number, to?: number) => decoder.decode(encoder.encode(text).slice(from, to));

let asking: AbortController | undefined;
/** check asks the server about the text and what may stand at the cursor; what comes after more was typed is forgotten. */
async function check(text: string, at: number): Promise<Hint[]> {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  if (!text.trim()) {
    checked.value = null;
    return [];
  }
  const [got, names] = await Promise.all([
    get<FilterCheck>('filter' + query({ text }), signal),
    at ? get<Completion>('complete' + query({ text, cursor: bytesOf(text.slice(0, at)), limit: 40 }), signal) : { from: 0, to: 0, items: [] },
  ]);
  if (signal.aborted) return [];
  checked.value = { text, got };
  const before = cut(text, 0, names.from), now = cut(text, names.from, names.to), after = cut(text, names.to);
  return names.items.filter(i => i.text !== now).map(i => ({ kind: i.kind, text: i.text, label: i.label || '', whole: before + i.text + after, cursor: (before + i.text).length }));
}

export function apply(text: string): void {
  const clean = text.trim();
  typed.value = clean;
  setFilter(clean);
  if (clean) recent.value = [clean, ...recent.value.filter(r => r !== clean)].slice(0, RECENT_MAX);
}

/** Complaint is the filter again, with a caret where it goes wrong. */
function Complaint({ text, got }: { text: string; got: FilterCheck }) {
  const at = got.offset || 0, to = at + (got.length || 0), before = cut(text, 0, at).length, wide = Math.max(1, cut(text, at, to).length);
  return (
    <div class="complaint" role="status" id="complaint">
      <pre class="mono" tabIndex={0} aria-label={t('filterWrong')}>{text}{'\n'}{' '.repeat(before)}<b>^{'~'.repeat(wide - 1)}</b></pre>
      <p>{got.message}{got.suggestions?.length ? <> · {t('didYouMean')} {got.suggestions.map(s => (
        <button key={s} type="button" class="link mono" onClick={() => {
          typed.value = cut(text, 0, at) + s + cut(text, to);
          void check(typed.value, 0).catch(() => {});
        }}>{s}</button>))}</> : null}</p>
    </div>
  );
}

function Hints({ hints, pick, take }: { hints: Hint[]; pick: number; take: (h: Hint) => void }) {
  return (
    <ul class="hints" role="listbox" id="hints" aria-label={t('fieldNames')}>
      {hints.map((h, i) => (
        <li key={h.text} id={'hint-' + i} role="option" aria-selected={i === pick} onPointerDown={e => { e.preventDefault(); take(h); }}
          ref={e => { if (e && i === pick) e.scrollIntoView({ block: 'nearest' }); }}>
          <span class={'hint-kind h-' + h.kind} title={h.kind} aria-hidden="true">{KINDS[h.kind]}</span><span class="mono">{h.text}</span><span class="quiet">{h.label}</span>
        </li>))}
    </ul>
  );
}

export function FilterBar() {
  const input = useRef<HTMLInputElement>(null);
  const [hints, setHints] = useState<Hint[]>([]);
  const [pick, setPick] = useState(-1);
  const text = typed.value;
  useEffect(() => {
    typed.value = filter.value;
    void check(filter.value, 0).catch(() => {});
  }, [filter.value]);
  const look = (value: string, at: number) => check(value, at).then(h => { setHints(h); setPick(-1); }, () => {});
  const recall = () => setHints(recent.value.filter(r => r !== text).map(r => ({ kind: 'recent', text: r, label: t('recent'), whole: r, cursor: r.length })));
  const take = (h: Hint) => {
    typed.value = h.whole;
    setHints([]);
    void look(h.whole, 0);
    requestAnimationFrame(() => { input.current!.focus(); input.current!.setSelectionRange(h.cursor, h.cursor); });
  };
  const keys = (e: KeyboardEvent) => {
    const down = e.key === 'ArrowDown', up = e.key === 'ArrowUp';
    if ((down || up) && !hints.length && !text.trim()) recall();
    else if ((down || up) && hints.length) setPick((pick + (down ? 1 : -1) + hints.length + 1) % (hints.length + 1));
    else if ((e.key === 'Tab' || e.key === 'Enter') && pick >= 0 && hints[pick]) take(hints[pick]);
    else if (e.key === 'Escape' && hints.length) setHints([]);
    else return;
    e.preventDefault();
  };
  const now = checked.value?.text === text.trim() || checked.value?.text === text ? checked.value : null;
  const state = !text.trim() || !now ? '' : now.got.valid ? (now.got.warnings?.length ? 'warn' : 'good') : 'bad';
  const showHints = hints.length > 0;
  return (
    <form class="filterbar" role="search" onSubmit={e => { e.preventDefault(); setHints([]); apply(text); }}>
      <div class={'filterbox ' + state}>
        <span class="filter-state" aria-hidden="true">{state === 'good' ? '✓' : state === 'bad' ? '✕' : state === 'warn' ? '!' : '⌕'}</span>
        <input id="filter" ref={input} class="mono" value={text} placeholder={t('filterHint')} aria-label={t('filter')} autocomplete="off" spellcheck={false}
          autocapitalize="off" role="combobox" aria-expanded={showHints} aria-controls="hints" aria-autocomplete="list" aria-invalid={state === 'bad'}
          aria-describedby={state === 'bad' ? 'complaint' : undefined} aria-activedescendant={pick >= 0 ? 'hint-' + pick : undefined}
          onInput={e => { typed.value = e.currentTarget.value; void look(typed.value, e.currentTarget.selectionStart ?? 0); }}
          onKeyDown={keys} onBlur={() => setHints([])} />
        {text && <button type="button" class="icon" aria-label={t('clear')} title={t('clear')} onClick={() => { apply(''); input.current!.focus(); }}>✕</button>}
        {showHints && <Hints hints={hints} pick={pick} take={take} />}
      </div>
      <button type="submit" class={text.trim() !== filter.value ? 'primary' : ''}>{t('apply')}</button>
      {state === 'bad' && !showHints && <Complaint text={now!.text} got={now!.got} />}
      {state === 'warn' && <div class="complaint soft" role="status">{now!.got.warnings!.join(' ')}</div>}
    </form>
  );
}
