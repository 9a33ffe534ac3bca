// SPDX-License-Identifier: Apache-2.0
// Who said what to whom: a line for every party, an arrow for every message.
import { useEffect, useRef, useState } from 'preact/hooks';
import { at } from '../api';
import { num } from '../format';
import { t, tOr } from '../i18n';
import { capture, filter, showFrame } from '../route';
import { Empty, Got } from '../parts/say';
import { useData, useVirtual } from '../use';
import type { Arrow, Ladder as All, Party } from '../types';

const PAGE = 2000, LINE = 32, WIDE = 200, LEFT = 96;

const Head = ({ parties }: { parties: Party[] }) => (
  <div class="ladder-head">
    {parties.map((p, i) => (
      <div key={i} class={'party' + (p.server ? ' server' : '')} style={{ left: LEFT + i * WIDE + 'px', width: WIDE - 16 + 'px' }} title={p.address}>
        <b>{p.client_id || p.address + (p.port ? ':' + p.port : '')}</b>
        <span class="quiet">{p.role ? tOr('role_' + p.role.replaceAll(' ', '_'), p.role) : p.client_id ? p.address : ''}</span>
      </div>))}
  </div>
);

function Row({ a, parties }: { a: Arrow; parties: number }) {
  const mid = (i: number) => LEFT + i * WIDE + (WIDE - 16) / 2;
  const self = a.from === a.to, left = Math.min(a.from, a.to), far = Math.max(a.from, a.to);
  return (
    <>
      <span class="ladder-time mono">{a.time.toFixed(6)}</span>
      {Array.from({ length: parties }, (_, i) => <span key={i} class="life" style={{ left: mid(i) + 'px' }} />)}
      <span class={`arrow m-${a.mood} k-${a.kind}${a.from > a.to ? ' back' : ''}${self ? ' self' : ''}`} style={{ left: mid(left) + 'px', width: (self ? 48 : mid(far) - mid(left)) + 'px' }}>
        <span class="arrow-text">{a.text}</span>
      </span>
    </>
  );
}

function Picture({ got }: { got: All }) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtual(got.arrows.length, () => LINE, box);
  const wide = LEFT + got.parties.length * WIDE;
  const [picked, set] = useState(0);
  const moved = useRef(false); // nobody picked an arrow yet: the picture begins at its first party
  const pick = (to: number) => { moved.current = true; set(to); };
  useEffect(() => { // the picked arrow is in sight, also where its parties stand far to the right
    const b = box.current, a = got.arrows[picked];
    if (!b || !a || !moved.current) return;
    const near = Math.min(a.from, a.to) * WIDE, far = LEFT + (Math.max(a.from, a.to) + 1) * WIDE;
    const fits = far - near <= b.clientWidth;
    if (far > b.scrollLeft + b.clientWidth || near < b.scrollLeft) b.scrollLeft = fits ? (near + far - b.clientWidth) / 2 : near;
  }, [picked, got]);
  const keys = (e: KeyboardEvent) => {
    const to = { ArrowDown: picked + 1, ArrowUp: picked - 1 }[e.key];
    if (to !== undefined && got.arrows[to]) { pick(to); virtual.scrollToIndex(to); } else if (e.key === 'Enter') showFrame(got.arrows[picked].frame);
    else return;
    e.preventDefault();
  };
  return (
    <div class="ladder" ref={box} tabIndex={0} role="listbox" aria-label={t('ladder')} aria-activedescendant={'arrow-' + picked} onKeyDown={keys}>
      <div style={{ width: wide + 'px' }} role="presentation">
        <Head parties={got.parties} />
        <div class="virtual" role="presentation" style={{ height: virtual.getTotalSize() + 'px' }}>
          {virtual.getVirtualItems().map(v => {
            const a = got.arrows[v.index];
            return <div key={v.index} id={'arrow-' + v.index} role="option" aria-selected={v.index === picked} class={'ladder-row' + (v.index === picked ? ' picked' : '')} style={{ transform: `translateY(${v.start}px)`, width: wide + 'px' }}
              title={t('packetNo', a.frame)} onClick={() => pick(v.index)} onDblClick={() => showFrame(a.frame)}><Row a={a} parties={got.parties.length} /></div>;
          })}
        </div>
      </div>
    </div>
  );
}

export function Ladder() {
  const [all, setAll] = useState(false);
  const [from, setFrom] = useState(0);
  const got = useData<All>(at(capture.value, 'ladder', { filter: filter.value, all, offset: from, limit: PAGE }));
  const last = got.data ? from + got.data.arrows.length : from;
  return (
    <div class="ladder-view">
      <div class="bar">
        <label class="check"><input type="checkbox" checked={all} onChange={e => setAll(e.currentTarget.checked)} /> {t('allAcks')}</label>
        {got.data && <span class="quiet">{t('arrowsOf', num(got.data.arrows.length ? from + 1 : 0), num(last), num(got.data.all))} {got.data.left_out > 0 && t('leftOut', num(got.data.left_out))}</span>}
        <span class="segments">
          <button type="button" disabled={!from} onClick={() => setFrom(Math.max(0, from - PAGE))}>← {t('earlier')}</button>
          <button type="button" disabled={!got.data || last >= got.data.all} onClick={() => setFrom(from + PAGE)}>{t('later')} →</button>
        </span>
        <span class="quiet wide-only">{t('ladderHow')}</span>
      </div>
      <Got from={got}>{g => g.arrows.length ? <Picture key={from} got={g} /> : <Empty title={t('noArrows')} />}</Got>
    </div>
  );
}
