// SPDX-License-Identifier: Apache-2.0
// The display filter: checked while it is typed, completed by the names of fields, with a caret under what is wrong.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, query } from '../api';
import { t } from '../i18n';
import { filter, setFilter } from '../route';
import { recent } from '../settings';
import type { FieldName, FilterCheck } from '../types';

export const typed = signal(filter.peek());
const checked = signal<{ text: string; got: FilterCheck } | null>(null);
const RECENT_MAX = 12;

interface Hint { name: string; label: string; insert: string }

let asking: AbortController | undefined;
/** check asks the server about the text, and forgets the answer when more was typed meanwhile. */
async function check(text: string, at: number): Promise<Hint[]> {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  if (!text.trim()) {
    checked.value = null;
    return [];
  }
  const word = /[a-z_][\w.-]*$/i.exec(text.slice(0, at))?.[0] || '';
  const [got, names] = await Promise.all([
    get<FilterCheck>('filter' + query({ text }), signal),
    word.length > 1 ? get<{ fields: FieldName[] }>('fields' + query({ prefix: word, limit: 40 }), signal) : { fields: [] },
  ]);
  if (signal.aborted) return [];
  checked.value = { text, got };
  return names.fields.filter(f => f.name !== word).map(f => ({ name: f.name, label: f.label, insert: f.name.slice(word.length) }));
}

export function apply(text: string): void {
  const clean = text.trim();
  typed.value = clean;
  setFilter(clean);
  if (clean) recent.value = [clean, ...recent.value.filter(r => r !== clean)].slice(0, RECENT_MAX);
}

/** Complaint is the filter again, with a caret where it goes wrong. Offsets of the server count bytes. */
function Complaint({ text, got }: { text: string; got: FilterCheck }) {
  const bytes = new TextEncoder().encode(text), chars = (b: Uint8Array) => new TextDecoder().decode(b).length;
  const at = got.offset || 0, before = chars(bytes.slice(0, at)), wide = Math.max(1, chars(bytes.slice(at, at + (got.length || 0))));
  return (
    <div class="complaint" role="status" id="complaint">
      <pre class="mono" tabIndex={0} aria-label={t('filterWrong')}>{text}{'\n'}{' '.repeat(before)}<b>^{'~'.repeat(wide - 1)}</b></pre>
      <p>{got.message}{got.suggestions?.length ? <> · {t('didYouMean')} {got.suggestions.map(s => (
        <button key={s} type="button" class="link mono" onClick={() => {
          typed.value = new TextDecoder().decode(bytes.slice(0, at)) + s + new TextDecoder().decode(bytes.slice(at + (got.length || 0)));
          void check(typed.value, typed.value.length);
        }}>{s}</button>))}</> : null}</p>
    </div>
  );
}

function Hints({ hints, pick, take }: { hints: Hint[]; pick: number; take: (h: Hint) => void }) {
  return (
    <ul class="hints" role="listbox" id="hints" aria-label={t('fieldNames')}>
      {hints.map((h, i) => (
        <li key={h.name} id={'hint-' + i} role="option" aria-selected={i === pick} onPointerDown={e => { e.preventDefault(); take(h); }}
          ref={e => { if (e && i === pick) e.scrollIntoView({ block: 'nearest' }); }}>
          <span class="mono">{h.name}</span><span class="quiet">{h.label}</span>
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
  const recall = () => setHints(recent.value.filter(r => r !== text).map(r => ({ name: r, label: t('recent'), insert: '\0' + r })));
  const take = (h: Hint) => {
    const at = input.current!.selectionStart ?? text.length;
    const whole = h.insert[0] === '\0';
    typed.value = whole ? h.name : text.slice(0, at) + h.insert + text.slice(at);
    setHints([]);
    void look(typed.value, 0);
    const to = whole ? h.name.length : at + h.insert.length;
    requestAnimationFrame(() => { input.current!.focus(); input.current!.setSelectionRange(to, to); });
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
