// SPDX-License-Identifier: Apache-2.0
// Packets and bytes over time.
import { useMemo } from 'preact/hooks';
import { at } from '../api';
import { num, size, span } from '../format';
import { t } from '../i18n';
import { capture, filter, go, route } from '../route';
import { both } from '../rows';
import { Plot } from '../parts/plot';
import { Empty, Got } from '../parts/say';
import { useData } from '../use';
import type { Table, Tables } from '../types';

function Plots({ table, step }: { table: Table; step: number }) {
  const made = useMemo(() => ({
    x: table.rows.map(r => r.start as number),
    packets: [{ label: t('packets'), values: table.rows.map(r => r.frames as number), bars: true, show: num }],
    bytes: [{ label: t('bytes'), values: table.rows.map(r => r.bytes as number), bars: true, show: size }],
  }), [table]);
  const zoom = (i: number) => go({ view: 'packets', args: [], query: { filter: both(`frame.time_relative >= ${made.x[i]} && frame.time_relative < ${made.x[i] + step}`) } });
  return (
    <>
      <p class="aside">{t('ioHow')}</p>
      <h3>{t('packetsPer', span(step))}</h3>
      <Plot x={made.x} curves={made.packets} label={t('packetsPer', span(step))} onPoint={zoom} />
      <h3>{t('bytesPer', span(step))}</h3>
      <Plot x={made.x} curves={made.bytes} label={t('bytesPer', span(step))} onPoint={zoom} />
    </>
  );
}

const INTERVALS = ['0.001', '0.01', '0.1', '1', '10', '60', '600'];
export function IoPlot() {
  const interval = route.value.query.interval || '1';
  const from = useData<Tables>(at(capture.value, 'stats/io', { filter: filter.value, interval }));
  return (
    <>
      <label class="check">{t('interval')} <select value={interval} onChange={e => go({ query: { ...route.value.query, interval: e.currentTarget.value } })}>
        {INTERVALS.map(i => <option key={i} value={i}>{span(Number(i))}</option>)}</select></label>
      <Got from={from}>{got => got.tables[0]?.rows.length ? <Plots table={got.tables[0]} step={Number(interval)} /> : <Empty title={t('nothingCounted')} />}</Got>
    </>
  );
}
