// SPDX-License-Identifier: Apache-2.0
// One packet's fields. Folded branches are remembered by the name of the field.
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { field, frame, stream, streamFilter } from '../frame';
import { t } from '../i18n';
import { copyChoice, filterChoices, openMenu, type Choice } from '../menu';
import { go } from '../route';
import { branches, columns } from '../settings';
import { useVirtual } from '../use';
import type { Field, Frame } from '../types';

const LINE = 20;
// What lies below the application is folded until somebody asks; so are the lists of bits.
const FOLDED = new Set(['frame', 'eth', 'sll', 'ip', 'ipv6', 'tcp', 'udp', 'ip.dsfield', 'ip.flags', 'tcp.options', 'tcp.flags', 'tcp.analysis', 'eth.dst', 'eth.src', 'mqtt.hdrflags', 'mqtt.conflags']);

const isOpen = (name: string): boolean => {
  if (branches.value.includes(name)) return true;
  return !FOLDED.has(name) && !branches.value.includes('-' + name);
};
function fold(name: string, open: boolean): void {
  const rest = branches.value.filter(b => b !== name && b !== '-' + name);
  branches.value = open === !FOLDED.has(name) ? rest : [...rest, open ? name : '-' + name].slice(-200);
}
const isParent = (tree: Field[], i: number) => i + 1 < tree.length && tree[i + 1].depth > tree[i].depth;

/** linesOf gives the indexes of the fields that no folded branch hides. */
function linesOf(tree: Field[]): number[] {
  const out: number[] = [];
  for (let i = 0; i < tree.length; i++) {
    out.push(i);
    if (isParent(tree, i) && !isOpen(tree[i].name)) {
      const { depth } = tree[i];
      while (i + 1 < tree.length && tree[i + 1].depth > depth) i++;
    }
  }
  return out;
}
/** unfoldTo opens the branches above a field. */
export function unfoldTo(tree: Field[], i: number): void {
  for (let depth = tree[i].depth; i >= 0 && depth > 0; i--)
    if (tree[i].depth < depth) {
      depth = tree[i].depth;
      if (!isOpen(tree[i].name)) fold(tree[i].name, true);
    }
}

function fieldMenu(e: MouseEvent | KeyboardEvent, f: Field, below?: Element | null): void {
  const s = stream.peek();
  const choices: (Choice | null)[] = f.filter ? [...filterChoices(f.filter), null] : [];
  choices.push(
    { label: t('asColumn'), off: columns.value.some(c => c.id === f.name), act: () => (columns.value = [...columns.value.slice(0, -1), { id: f.name, wide: 120 }, ...columns.value.slice(-1)]) },
    copyChoice(t('copyText'), f.label), copyChoice(t('copyName'), f.name));
  if (f.filter) choices.push(copyChoice(t('copyFilter'), f.filter));
  if (s) choices.push(null, { label: t('filterConversation'), act: () => go({ query: { filter: streamFilter(s) } }) },
    { label: t('follow'), act: () => go({ view: 'follow', args: [s.mqtt ? 'mqtt' : s.protocol, String(s.number)], query: {} }) });
  openMenu(e, choices, f.name, below);
}

export function Tree() {
  const got = frame.value;
  return got ? <Lines key="tree" got={got} /> : <div class="tree" />;
}

function Lines({ got }: { got: Frame }) {
  const box = useRef<HTMLDivElement>(null);
  const { tree } = got;
  const lines = useMemo(() => linesOf(tree), [tree, branches.value]);
  const at = lines.indexOf(field.value);
  const virtual = useVirtual(lines.length, () => LINE, box);
  useEffect(() => { if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' }); }, [at]);
  const turn = (i: number, open: boolean) => isParent(tree, i) && isOpen(tree[i].name) !== open && fold(tree[i].name, open);
  const keys = (e: KeyboardEvent) => {
    const i = field.value, f = tree[i];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1, PageDown: at + 15, PageUp: at - 15 }[e.key];
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (to !== undefined) field.value = lines[Math.max(0, Math.min(lines.length - 1, to))];
    else if (e.key === 'ArrowRight' && f) turn(i, true);
    else if (e.key === 'ArrowLeft' && f) {
      if (isParent(tree, i) && isOpen(f.name)) turn(i, false);
      else for (let up = i; up >= 0; up--) if (tree[up].depth < f.depth) { field.value = up; break; }
    } else if ((e.key === 'ContextMenu' || (e.key === 'F10' && e.shiftKey)) && f) fieldMenu(e, f, document.getElementById('field-' + i));
    else return;
    e.preventDefault();
  };
  return (
    <div class="tree mono" ref={box} tabIndex={0} role="tree" aria-label={t('fields')} onKeyDown={keys} aria-activedescendant={at >= 0 ? 'field-' + field.value : undefined}>
      <div class="virtual" role="presentation" style={{ height: virtual.getTotalSize() + 'px' }}>
        {virtual.getVirtualItems().map(v => {
          const i = lines[v.index], f = tree[i], parent = isParent(tree, i), open = parent && isOpen(f.name);
          return (
            <div key={i} id={'field-' + i} role="treeitem" aria-level={f.depth + 1} aria-selected={i === field.value} aria-expanded={parent ? open : undefined}
              class={`leaf${f.depth ? '' : ' top'}${i === field.value ? ' picked' : ''}${f.severity ? ' s-' + f.severity.toLowerCase() : ''}`}
              style={{ transform: `translateY(${v.start}px)`, paddingLeft: 8 + f.depth * 16 + 'px' }} title={f.filter || f.name}
              onClick={() => (field.value = i)} onDblClick={() => turn(i, !open)} onContextMenu={e => { field.value = i; fieldMenu(e, f); }}>
              <span class="twist" aria-hidden="true" onClick={e => { e.stopPropagation(); turn(i, !open); }}>{parent ? (open ? '▾' : '▸') : ''}</span>{f.label}
            </div>
          );
        })}
      </div>
    </div>
  );
}
