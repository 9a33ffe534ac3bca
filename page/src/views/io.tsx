// SPDX-License-Identifier: Apache-2.0
// Packets and bytes over time.
import { Fragment } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { at } from '../api';
import { num, size, span } from '../format';
import { t, type Word } from '../i18n';
import { capture, filter, go, route } from '../route';
import { both } from '../rows';
import { Plot } from '../parts/plot';
import { Empty, Got } from '../parts/say';
import { useData } from '../use';
import type { Table, Tables } from '../types';

const CALCULATED = /^(AVG|MIN|MAX)/;
const shows: Record<string, [Word, (n: number) => string]> = { frames: ['packetsPer', num], bytes: ['bytesPer', size] };

/** Plots has one plot for each column there is; `start` is where its bar begins. */
function Plots({ table, step }: { table: Table; step: number }) {
  const made = useMemo(() => ({
    x: table.rows.map(r => r.start as number),
    plots: Object.keys(table.rows[0]).filter(k => k !== 'start').map(k => {
      const [word, show] = shows[k] || [];
      const title = word ? t(word, span(step)) : k.replace(/^frames /, t('packets') + ': ').replace(/^bytes /, t('bytes') + ': ');
      return { title, curves: [{ label: title, values: table.rows.map(r => r[k] as number | null), bars: CALCULATED.test(k) ? 0 : step, show: show || num }] };
    }),
  }), [table]);
  const zoom = (i: number) => go({ view: 'packets', args: [], query: { filter: both(`frame.time_relative >= ${made.x[i]} && frame.time_relative < ${made.x[i] + step}`) } });
  return <>{made.plots.map(p => <Fragment key={p.title}><h3>{p.title}</h3><Plot x={made.x} curves={p.curves} label={p.title} onPoint={zoom} /></Fragment>)}</>;
}

function Asked({ interval, own }: { interval: string; own: string[] }) {
  const from = useData<Tables>(at(capture.value, 'stats/io', { filter: filter.value, interval }) + own.map(c => '&column=' + encodeURIComponent(c)).join(''));
  return <Got from={from}>{got => got.tables[0]?.rows.length ? <Plots table={got.tables[0]} step={Number(interval)} /> : <Empty title={t('nothingCounted')} />}</Got>;
}

/** Own has the series a person adds: how many packets pass a filter, or a calculation over a field of theirs. They stand in the
 *  address, one a line. */
function Own({ own, set }: { own: string[]; set: (own: string[]) => void }) {
  const [calc, choose] = useState('');
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    const [field, text] = ['field', 'text'].map(k => String(new FormData(e.currentTarget as HTMLFormElement).get(k) || '').trim());
    const one = calc ? `${calc}(${field})${text || field}` : text;
    if (one && !own.includes(one)) set([...own, one]);
  };
  return (
    <details open={own.length > 0}><summary>{t('ownSeries')}</summary>
      <form class="add" onSubmit={submit}>
        <select aria-label={t('calc')} value={calc} onChange={e => choose(e.currentTarget.value)}>{['', 'SUM', 'COUNT', 'MIN', 'MAX', 'AVG'].map(c => <option key={c} value={c}>{c || t('packets')}</option>)}</select>
        {calc && <input name="field" required aria-label={t('fieldName')} placeholder="tcp.len" />}
        <input name="text" required={!calc} aria-label={t('filter')} placeholder={calc ? t('filter') : 'mqtt.msgtype == 3'} />
        <button type="submit">{t('addSeries')}</button></form>
      <p class="chips">{own.map(c => <button key={c} type="button" class="chip" aria-label={t('removeX', c)} onClick={() => set(own.filter(o => o !== c))}><code>{c}</code> ✕</button>)}</p>
    </details>
  );
}

const INTERVALS = ['0.001', '0.01', '0.1', '1', '10', '60', '600'];
export function IoPlot() {
  const interval = route.value.query.interval || '1';
  const own = (route.value.query.series || '').split('\n').filter(Boolean);
  return (
    <>
      <label class="check">{t('interval')} <select value={interval} onChange={e => go({ query: { ...route.value.query, interval: e.currentTarget.value } })}>
        {INTERVALS.map(i => <option key={i} value={i}>{span(Number(i))}</option>)}</select></label>
      <Own own={own} set={s => go({ query: { ...route.value.query, series: s.join('\n') } })} />
      <p class="aside">{t('ioHow')}</p>
      {own.length > 0 && <Asked interval={interval} own={own} />}
      <Asked interval={interval} own={[]} />
    </>
  );
}
