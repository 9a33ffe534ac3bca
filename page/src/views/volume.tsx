// SPDX-License-Identifier: Apache-2.0
// Who used the data and what for, counted as an operator bills it: IP bytes.
import { at } from '../api';
import { num, size } from '../format';
import { t, tOr } from '../i18n';
import { capture, filter } from '../route';
import { Empty, Got } from '../parts/say';
import { Table } from '../parts/table';
import { useData } from '../use';
import type { Tables } from '../types';

const literal = (text: string) => '"' + text.replace(/[\\"]/g, '\\$&') + '"';
function filterOf(table: string, name: string): string | null {
  const end = /^\[?([0-9a-f.:]+?)\]?:(\d+)$/i.exec(name);
  const ip = (a: string) => `${a.includes(':') ? 'ipv6' : 'ip'}.addr == ${a}`;
  if (table === 'destinations' && end) return `${ip(end[1])} && (tcp.port == ${end[2]} || udp.port == ${end[2]})`;
  if (table === 'devices' && /^[0-9a-f.:]+$/i.test(name)) return ip(name);
  if (table === 'clients') return `mqtt.clientid == ${literal(name)}`;
  if (table === 'topics') return `mqtt.topic == ${literal(name)}`;
  return null;
}

function Part({ percent }: { percent: number }) {
  return <span class="share"><span class="share-bar" style={{ width: Math.max(1, percent) + '%' }} /><span>{percent.toFixed(1)} %</span></span>;
}

export function Volume() {
  const from = useData<Tables>(at(capture.value, 'stats/volume', { filter: filter.value }));
  return (
    <div class="page"><Got from={from}>{got => {
      const shown = got.tables.filter(x => x.rows.length), all = shown[0]?.rows.reduce((sum, r) => sum + Number(r.billed || 0), 0) || 0;
      if (!all) return <Empty title={t('nothingCounted')} />;
      return (
        <>
          <p class="big-number"><b>{size(all)}</b> <span class="quiet">{t('billedOf', num(all), num(got.packets))}</span></p>
          <div class="volume-grid">{shown.map(x => (
            <section key={x.name} aria-label={x.title}><h2>{tOr('vol_' + x.name, x.title)}</h2>
              <Table lines={x.rows} columns={['name', 'percent', 'billed', 'payload', 'packets']} label={x.title}
                draw={(k, l) => (k === 'percent' ? <Part percent={Number(l.percent)} /> : k === 'name' && x.name === 'classes' ? tOr('class_' + String(l.name).replaceAll(/\W+/g, '_'), String(l.name)) : undefined)}
                filterOf={(k, l) => (k === 'name' ? filterOf(x.name, String(l.name)) : null)} />
              {x.note && <p class="aside">{x.note}</p>}
            </section>))}</div>
        </>
      );
    }}</Got></div>
  );
}
