// SPDX-License-Identifier: Apache-2.0
// Packets and bytes over time.
import { useMemo } from 'preact/hooks';
import { at } from '../api';
import { num, size } from '../format';
import { t } from '../i18n';
import { capture, filter, go } from '../route';
import { both } from '../rows';
import { Plot } from '../parts/plot';
import { Empty, Got } from '../parts/say';
import { useData } from '../use';
import type { Table, Tables } from '../types';

function Plots({ table }: { table: Table }) {
  const made = useMemo(() => ({
    x: table.rows.map(r => r.start as number),
    packets: [{ label: t('packets'), values: table.rows.map(r => r.frames as number), bars: true, show: num }],
    bytes: [{ label: t('bytes'), values: table.rows.map(r => r.bytes as number), bars: true, show: size }],
  }), [table]);
  const step = made.x.length > 1 ? made.x[1] - made.x[0] : 1;
  const zoom = (i: number) => go({ view: 'packets', args: [], query: { filter: both(`frame.time_relative >= ${made.x[i]} && frame.time_relative < ${made.x[i] + step}`) } });
  return (
    <>
      <p class="aside">{t('ioHow')}</p>
      <h3>{t('packetsPer', step + ' s')}</h3>
      <Plot x={made.x} curves={made.packets} label={t('packetsPer', step + ' s')} onPoint={zoom} />
      <h3>{t('bytesPer', step + ' s')}</h3>
      <Plot x={made.x} curves={made.bytes} label={t('bytesPer', step + ' s')} onPoint={zoom} />
    </>
  );
}

export function IoPlot() {
  const from = useData<Tables>(at(capture.value, 'stats/io', { filter: filter.value }));
  return <Got from={from}>{got => got.tables[0]?.rows.length ? <Plots table={got.tables[0]} /> : <Empty title={t('nothingCounted')} />}</Got>;
}
