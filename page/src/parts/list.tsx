// SPDX-License-Identifier: Apache-2.0
// The packet list. Only rows in sight are in the document. Browsers limit how high a box may be, so a very long list is
// squeezed: its scroll bar stands for the whole, while wheel and keys still move by rows.
import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { frame, mark, marks, pick, picked, step, stream, streamFilter } from '../frame';
import { t, tOr } from '../i18n';
import { copyChoice, filterChoices, openMenu, type Choice } from '../menu';
import { added, drawn, growing, rowAt, total, turn } from '../rows';
import { go } from '../route';
import { COLUMNS, columns, type Column } from '../settings';
import { dialog } from './dialog';
import type { Row } from '../types';

// On a narrow screen a row has two lines and there is no head.
const small = matchMedia('(max-width: 720px)');
const narrow = signal(small.matches);
small.addEventListener('change', e => (narrow.value = e.matches));
const rowHigh = () => (narrow.value ? 44 : 22);
const HIGH_MAX = 8e6;
const first = signal(0); // row at the top
/** following: the list stays at the end while packets come. */
export const following = signal(true);
const tall = signal(400); // pixels of the box

const visible = () => Math.ceil(tall.value / rowHigh());
const squeezed = () => total.value * rowHigh() > HIGH_MAX;
const high = () => Math.min(total.value * rowHigh(), HIGH_MAX);
const lastFirst = () => Math.max(0, total.value - Math.floor(tall.value / rowHigh()) + 1);

function toScroll(box: HTMLElement, row: number): void {
  first.value = Math.max(0, Math.min(row, lastFirst()));
  box.scrollTop = squeezed() ? (first.value / lastFirst()) * (box.scrollHeight - box.clientHeight) : first.value * rowHigh();
}
function scrolled(box: HTMLElement): void {
  if (!squeezed()) first.value = Math.floor(box.scrollTop / rowHigh());
  else {
    const share = box.scrollTop / Math.max(1, box.scrollHeight - box.clientHeight), here = first.value / lastFirst();
    if (Math.abs(share - here) * (box.scrollHeight - box.clientHeight) > 1.5) first.value = Math.round(share * lastFirst());
  }
}

/** cellText is what a column shows of a row: one of the server's own, or a field's value. */
const cellText = (r: Row, c: Column): string => (COLUMNS.some(own => own.id === c.id) ? String(r[c.id as keyof Row]) : r.columns?.[added().indexOf(c.id)] ?? '');

function rowMenu(e: MouseEvent | KeyboardEvent, r: Row, i: number, below?: Element | null): void {
  const s = frame.peek()?.no === r.no ? stream.peek() : null;
  const choices: (Choice | null)[] = [
    { label: t('markPacket'), hint: 'Ctrl M', act: () => mark(r.no) },
    null,
    ...filterChoices(addressFilter(r)),
  ];
  if (s) choices.push(null, { label: t('filterConversation'), act: () => go({ query: { filter: streamFilter(s) } }) },
    { label: t('follow'), act: () => go({ view: 'follow', args: [s.mqtt ? 'mqtt' : s.protocol, String(s.number)], query: {} }) });
  choices.push(null, copyChoice(t('copyRow'), [r.no, r.time, r.source, r.destination, r.protocol, r.length, r.info].join('\t')));
  void pick(i);
  openMenu(e, choices, t('packetNo', r.no), below);
}
/** addressFilter is a filter for the packets of a row's two ends. */
function addressFilter(r: Row): string {
  const of = (a: string) => (/^\d+\.\d+\.\d+\.\d+$/.test(a) ? 'ip.addr' : a.includes('::') || a.split(':').length > 6 ? 'ipv6.addr' : 'eth.addr');
  return /^[0-9a-f.:]+$/i.test(r.source) && /^[0-9a-f.:]+$/i.test(r.destination)
    ? `${of(r.source)} == ${r.source} && ${of(r.destination)} == ${r.destination}` : 'frame.number == ' + r.no;
}

/** bracket is the sign left of a packet that belongs to the conversation of the one picked. */
const bracket = (r: Row, here: Row | null): string => (here?.stream === undefined || r.stream !== here.stream || r.transport !== here.transport ? '' : r === here ? ' talk here' : ' talk');

function Line({ i, top, shown }: { i: number; top: number; shown: Column[] }) {
  const r = rowAt(i);
  const style = { transform: `translateY(${top}px)` };
  if (!r) return <div class="row wait-row" role="row" aria-rowindex={i + 2} style={style}><span role="gridcell">…</span></div>;
  const is = i === picked.value, marked = marks.value.has(r.no);
  return (
    <div class={`row c-${r.colour ?? ''}${is ? ' picked' : ''}${marked ? ' marked' : ''}${bracket(r, picked.value < 0 ? null : rowAt(picked.value))}`} role="row" id={'row-' + i}
      aria-rowindex={i + 2} aria-selected={is} style={style} onClick={() => void pick(i)} onContextMenu={e => rowMenu(e, r, i)}>
      {shown.map(c => <span key={c.id} role="gridcell" title={c.wide ? undefined : r.info} class={`f-${c.id}${c.id === 'no' || c.id === 'length' ? ' n' : ''}`}>{cellText(r, c)}</span>)}
    </div>
  );
}

function listKeys(e: KeyboardEvent, box: HTMLElement): void {
  const view = Math.max(1, Math.floor(tall.value / rowHigh()) - 2);
  const plain = !e.ctrlKey && !e.altKey && !e.metaKey;
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: view, PageUp: -view }[e.key];
  const r = picked.value >= 0 ? rowAt(picked.value) : null;
  if (plain && by && by < 0) following.value = false;
  if (plain && by) void step(picked.value < 0 ? 0 : by);
  else if (e.key === 'Home') void pick(0);
  else if (e.key === 'End') void pick(total.value - 1);
  else if (e.key === 'Enter') document.querySelector<HTMLElement>('.tree')?.focus();
  else if ((e.key === 'ContextMenu' || (e.key === 'F10' && e.shiftKey)) && r) {
    rowMenu(e, r, picked.value, box.querySelector('.row.picked'));
  } else return;
  e.preventDefault();
}

export function PacketList() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const see = new ResizeObserver(([e]) => (tall.value = Math.max(44, e.contentRect.height - (narrow.value ? 0 : 22))));
    see.observe(box.current!);
    const wheel = (e: WheelEvent) => {
      if (e.deltaY < 0) following.value = false;
      if (!squeezed() || e.ctrlKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) return;
      e.preventDefault();
      const rows = e.deltaMode ? e.deltaY : e.deltaY / rowHigh();
      toScroll(box.current!, first.value + Math.sign(rows) * Math.max(1, Math.round(Math.abs(rows))));
    };
    box.current!.addEventListener('wheel', wheel, { passive: false });
    return () => see.disconnect();
  }, []);
  useLayoutEffect(() => { first.value = 0; box.current!.scrollTop = 0; }, [turn.value]);
  useLayoutEffect(() => { // the packet picked is in sight
    const i = picked.value, whole = Math.floor(tall.value / rowHigh());
    if (i < 0) return;
    if (i < first.value) toScroll(box.current!, i);
    else if (i >= first.value + whole - 1) toScroll(box.current!, i - first.value > 2 * whole ? i - Math.floor(whole / 2) : i - whole + 2);
  }, [picked.value]);
  useLayoutEffect(() => toScroll(box.current!, first.peek()), [narrow.value]);
  useLayoutEffect(() => { if (growing.value && following.value) toScroll(box.current!, lastFirst()); }, [total.value, growing.value]);
  void drawn.value;
  const shown = columns.value;
  const grid = shown.map(c => (c.wide ? c.wide + 'px' : 'minmax(240px, 1fr)')).join(' ');
  const wide = shown.reduce((sum, c) => sum + (c.wide || 320) + 8, 16);
  const rows = [];
  const top = squeezed() ? box.current?.scrollTop ?? 0 : first.value * rowHigh();
  for (let i = first.value; i < Math.min(total.value, first.value + visible() + 1); i++)
    rows.push(<Line key={i} i={i} top={top + (i - first.value) * rowHigh()} shown={shown} />);
  return (
    <div class="list mono" ref={box} tabIndex={0} role="grid" aria-label={t('packetList')} aria-rowcount={total.value + 1} aria-activedescendant={picked.value >= 0 ? 'row-' + picked.value : undefined}
      onScroll={e => scrolled(e.currentTarget)} onKeyDown={e => listKeys(e, e.currentTarget)} style={{ '--grid': grid, '--wide': wide + 'px' }}>
      <div class="row head" role="row" aria-rowindex={1} onContextMenu={e => openMenu(e, [{ label: t('columns'), act: () => (dialog.value = 'columns') }])}>
        {shown.map(c => <span key={c.id} role="columnheader" class={c.id === 'no' || c.id === 'length' ? 'n' : ''} title={c.id}>{tOr('col_' + c.id, c.id)}</span>)}
      </div>
      <div class="rows" role="rowgroup" style={{ height: high() + 'px' }}>{rows}</div>
    </div>
  );
}
