// SPDX-License-Identifier: Apache-2.0
// A table of what was counted: sorted by a click on its head, a value made a filter by a click on it.
import { useMemo, useRef, useState } from 'preact/hooks';
import { num, size, span } from '../format';
import { t, tOr } from '../i18n';
import { copyChoice, filterChoices, openMenu } from '../menu';
import { useVirtual } from '../use';
import type { Cell } from '../types';

export type Line = Record<string, Cell>;
const LINE = 28;
const VIRTUAL_FROM = 120;

/** cellText writes a value as its column wants it. */
export function cellText(key: string, v: Cell | undefined): string {
  if (v === null || v === undefined) return '';
  if (Array.isArray(v)) return v.join(', ');
  if (typeof v !== 'number') return String(v);
  if (/^(stream|port|first_frame|frame)|port_|_frame$/.test(key)) return String(v);
  if (/percent|share/.test(key)) return v.toFixed(1) + ' %';
  if (/duration|rtt|^start$|_time$|after|seconds/.test(key)) return span(v);
  if (/bytes|payload|billed|^size$/.test(key)) return size(v);
  return Number.isInteger(v) ? num(v) : v.toPrecision(4);
}
export const headText = (key: string): string => tOr('th_' + key, key.replace(/^./, c => c.toUpperCase()).replaceAll('_', ' ').replace('a b', 'A → B').replace('b a', 'B → A'));

interface Props {
  lines: Line[];
  columns?: string[];
  label: string;
  filterOf?: (key: string, line: Line) => string | null; // the filter a cell stands for
  onLine?: (line: Line) => void;
  draw?: (key: string, line: Line) => preact.ComponentChildren; // undefined: as text
  heads?: Record<string, string>;
  fill?: boolean; // as high as there is room
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '').localeCompare(String(b ?? ''), undefined, { numeric: true });
}

export function Table({ lines, columns, label, filterOf, onLine, draw, heads, fill }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [by, sort] = useState<{ key: string; down: boolean } | null>(null);
  const keys = columns || Object.keys(lines[0] || {});
  const sorted = useMemo(() => (by ? [...lines].sort((a, b) => compare(a[by.key], b[by.key]) * (by.down ? -1 : 1)) : lines), [lines, by]);
  const many = sorted.length > VIRTUAL_FROM;
  const virtual = useVirtual(many ? sorted.length : 0, () => LINE, box);
  const items = many ? virtual.getVirtualItems() : [];
  const from = many ? items[0]?.index ?? 0 : 0, to = many ? (items.at(-1)?.index ?? -1) + 1 : sorted.length;
  const turn = (key: string) => sort(by?.key === key ? (by.down ? { key, down: false } : null) : { key, down: true });
  const isNumber = (key: string) => typeof lines[0]?.[key] === 'number' || typeof lines.find(l => l[key] != null)?.[key] === 'number';
  const cell = (key: string, l: Line) => {
    const drawn = draw?.(key, l);
    if (drawn !== undefined) return drawn;
    const filter = filterOf?.(key, l), text = cellText(key, l[key]);
    if (!filter || !text) return text;
    return <button type="button" class="cell-filter" title={filter} onClick={e => openMenu(e, [...filterChoices(filter), null, copyChoice(t('copyText'), text)], text)}>{text}</button>;
  };
  return (
    <div class={'table-box' + (many ? ' many' : '') + (fill ? ' fill' : '')} ref={box} tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead><tr>{keys.map(k => (
          <th key={k} scope="col" class={isNumber(k) ? 'n' : ''} aria-sort={by?.key === k ? (by.down ? 'descending' : 'ascending') : undefined}>
            <button type="button" onClick={() => turn(k)}>{heads?.[k] ?? headText(k)}<span aria-hidden="true">{by?.key === k ? (by.down ? ' ↓' : ' ↑') : ''}</span></button>
          </th>))}</tr></thead>
        <tbody>
          {many && from > 0 && <tr class="spacer" style={{ height: from * LINE + 'px' }}><td colSpan={keys.length} /></tr>}
          {sorted.slice(from, to).map((l, i) => (
            <tr key={from + i} class={onLine ? 'goes' : ''} onClick={onLine && (e => (e.target as HTMLElement).closest('button') || onLine(l))}>
              {keys.map(k => <td key={k} class={isNumber(k) ? 'n' : ''}>{cell(k, l)}</td>)}
            </tr>))}
          {many && to < sorted.length && <tr class="spacer" style={{ height: (sorted.length - to) * LINE + 'px' }}><td colSpan={keys.length} /></tr>}
        </tbody>
      </table>
    </div>
  );
}
