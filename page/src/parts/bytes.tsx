// SPDX-License-Identifier: Apache-2.0
// The bytes of the packet, and of what was put together or decrypted from it. A field marks its bytes; a byte its field.
import { useEffect, useRef, useState } from 'preact/hooks';
import { num } from '../format';
import { field, frame } from '../frame';
import { t } from '../i18n';
import { copyChoice, openMenu } from '../menu';
import { useVirtual, useWidth } from '../use';
import { unfoldTo } from './tree';
import type { Frame, Source } from '../types';

const LINE = 20;

/** fieldOf gives the deepest, shortest field that has a byte; -1 where none has. */
function fieldOf(got: Frame, source: number, at: number): number {
  let best = -1;
  got.tree.forEach((f, i) => {
    if (f.source !== source || at < f.offset || at >= f.offset + f.length) return;
    if (best < 0 || f.length <= got.tree[best].length) best = i;
  });
  return best;
}
const char = (v: number) => (v > 31 && v < 127 ? String.fromCharCode(v) : '·');

interface Range { from: number; to: number }
function Line({ hex, at, per, marked, upper }: { hex: string; at: number; per: number; marked: Range; upper: Range }) {
  const cells = [], text = [];
  for (let i = at; i < at + per; i++) {
    const two = hex.slice(2 * i, 2 * i + 2);
    const gap = i % 8 === 7 && i % per !== per - 1 ? ' gap' : '';
    if (!two) { cells.push(<span key={i} class={gap}>{'  '}</span>); continue; }
    const cls = i >= marked.from && i < marked.to ? 'on' : i >= upper.from && i < upper.to ? 'in' : '';
    const edge = i === Math.max(marked.from, at) ? ' first' : '';
    cells.push(<span key={i} data-at={i} class={cls + edge + gap}>{two}</span>);
    text.push(<span key={'c' + i} data-at={i} class={cls}>{char(parseInt(two, 16))}</span>);
  }
  return <><span class="where">{at.toString(16).padStart(4, '0')}</span><span class="hex">{cells}</span><span class="ascii">{text}</span></>;
}

function Dump({ got, source, which }: { got: Frame; source: Source; which: number }) {
  const box = useRef<HTMLDivElement>(null);
  const wide = useWidth(box);
  const per = wide && wide < 440 ? 8 : 16;
  const length = source.hex.length / 2;
  const virtual = useVirtual(Math.ceil(length / per), () => LINE, box);
  const f = got.tree[field.value];
  const mine = f && f.source === which && f.length ? f : null;
  const marked = mine ? { from: mine.offset, to: mine.offset + mine.length } : { from: -1, to: -1 };
  let top = field.value;
  while (top > 0 && got.tree[top].depth) top--;
  const layer = mine && got.tree[top]?.source === which ? got.tree[top] : null;
  const upper = layer ? { from: layer.offset, to: layer.offset + layer.length } : { from: -1, to: -1 };
  useEffect(() => { if (mine) virtual.scrollToIndex(Math.floor(mine.offset / per), { align: 'auto' }); }, [field.value, per]);
  const click = (e: MouseEvent) => {
    const at = (e.target as HTMLElement).dataset.at;
    const i = at === undefined ? -1 : fieldOf(got, which, Number(at));
    if (i < 0) return;
    unfoldTo(got.tree, i);
    field.value = i;
  };
  const menu = (e: MouseEvent) => {
    const part = mine ? source.hex.slice(2 * marked.from, 2 * marked.to) : source.hex;
    const text = part.replace(/../g, two => char(parseInt(two, 16)));
    openMenu(e, [copyChoice(t('copyHex'), part), copyChoice(t('copyAscii'), text)]);
  };
  return (
    <div class="dump mono" ref={box} tabIndex={0} role="region" aria-label={t('bytes')} onClick={click} onContextMenu={menu}>
      <div class="virtual" style={{ height: virtual.getTotalSize() + 'px' }}>
        {virtual.getVirtualItems().map(v => (
          <div key={v.index} class="dump-line" style={{ transform: `translateY(${v.start}px)` }}>
            <Line hex={source.hex} at={v.index * per} per={per} marked={marked} upper={upper} />
          </div>))}
      </div>
      {length < source.length && <p class="aside">{t('bytesCut', num(length), num(source.length))}</p>}
    </div>
  );
}

export function Bytes() {
  const got = frame.value;
  const [which, choose] = useState(0);
  const wanted = got?.tree[field.value];
  useEffect(() => choose(0), [got?.no]);
  useEffect(() => { if (wanted?.length) choose(wanted.source); }, [field.value]);
  if (!got) return <div class="dump" />;
  const at = Math.min(which, got.sources.length - 1);
  return (
    <>
      {got.sources.length > 1 && (
        <div class="sources" role="tablist" aria-label={t('bytes')}>
          {got.sources.map((s, i) => (
            <button key={i} type="button" role="tab" aria-selected={i === at} onClick={() => choose(i)}>{s.name} <span class="quiet">{num(s.length)} B</span></button>))}
        </div>)}
      {got.sources[at] && <Dump key={at} got={got} source={got.sources[at]} which={at} />}
    </>
  );
}
