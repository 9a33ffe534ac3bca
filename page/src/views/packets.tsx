// SPDX-License-Identifier: Apache-2.0
// The packet view: list above, tree and bytes below, with movable borders.
import { useRef, useState } from 'preact/hooks';
import { Bytes } from '../parts/bytes';
import { PacketList } from '../parts/list';
import { Empty, Wait, Wrong } from '../parts/say';
import { Tree } from '../parts/tree';
import { frame, frameError, frameLoading, goTo } from '../frame';
import { t } from '../i18n';
import { again, counted, failure, isFilterProblem, total } from '../rows';
import { filter, setFilter } from '../route';
import { split } from '../settings';

type Side = 'list' | 'tree';

/** Border is dragged, or moved by arrow keys. */
function Border({ of, label }: { of: Side; label: string }) {
  const upright = of === 'tree';
  const set = (share: number) => (split.value = { ...split.value, [of]: Math.max(15, Math.min(85, Math.round(share))) });
  const drag = (e: PointerEvent) => {
    const at = e.currentTarget as HTMLElement, r = at.parentElement!.getBoundingClientRect();
    at.setPointerCapture(e.pointerId);
    at.onpointermove = m => set(upright ? ((m.clientX - r.left) / r.width) * 100 : ((m.clientY - r.top) / r.height) * 100);
    at.onpointerup = () => (at.onpointermove = null);
  };
  const keys = (e: KeyboardEvent) => {
    const by = { ArrowLeft: -4, ArrowUp: -4, ArrowRight: 4, ArrowDown: 4 }[e.key];
    if (!by) return;
    set(split.value[of] + by);
    e.preventDefault();
  };
  return <div class={'border ' + (upright ? 'upright' : 'level')} role="separator" tabIndex={0} aria-label={label} aria-orientation={upright ? 'vertical' : 'horizontal'}
    aria-valuenow={split.value[of]} aria-valuemin={15} aria-valuemax={85} onPointerDown={drag} onKeyDown={keys} />;
}

function Detail() {
  const [side, choose] = useState<'tree' | 'bytes'>('tree');
  const got = frame.value;
  if (frameError.value) return <div class="detail"><Wrong error={frameError.value} again={() => got && void goTo(got.no)} /></div>;
  if (!got) return frameLoading.value ? <div class="detail"><Wait /></div> : <div class="detail"><Empty title={t('pickPacket')} /></div>;
  return (
    <div class={'detail shows-' + side}>
      <div class="detail-tabs" role="group" aria-label={t('packetNo', got.no)}>
        <button type="button" aria-pressed={side === 'tree'} onClick={() => choose('tree')}>{t('fields')}</button>
        <button type="button" aria-pressed={side === 'bytes'} onClick={() => choose('bytes')}>{t('bytes')}</button>
      </div>
      <div class="detail-tree" style={{ flexBasis: split.value.tree + '%' }}><Tree /></div>
      <Border of="tree" label={t('borderBytes')} />
      <div class="detail-bytes"><Bytes /></div>
    </div>
  );
}

export function Packets() {
  const box = useRef<HTMLDivElement>(null);
  const wrong = failure.value;
  if (wrong && !isFilterProblem(wrong)) return <Wrong error={wrong} again={again} />;
  const none = counted.value && !total.value;
  return (
    <div class="packets" ref={box}>
      <div class="packets-list" style={{ flexBasis: split.value.list + '%' }}>
        <PacketList />
        {none && (
          <div class="over"><Empty title={filter.value ? t('noneMatch') : t('noPackets')}>
            {filter.value && <button type="button" onClick={() => setFilter('')}>{t('clearFilter')}</button>}
          </Empty></div>)}
        {isFilterProblem(wrong) && <div class="over"><Empty title={t('filterWrong')}>{wrong.message}</Empty></div>}
      </div>
      <Border of="list" label={t('borderDetail')} />
      <Detail />
    </div>
  );
}
