// SPDX-License-Identifier: Apache-2.0
// Who used the data and what for, counted as an operator bills it: IP bytes.
import { at } from '../api';
import { num, size } from '../format';
import { t, tOr } from '../i18n';
import { capture, filter } from '../route';
import { Empty, Got } from '../parts/say';
import { Table, type Line } from '../parts/table';
import { useData } from '../use';
import type { Tables } from '../types';

const literal = (text: string) => '"' + text.replace(/[\\"]/g, '\\$&') + '"';
const ip = (a: string) => `${a.includes(':') ? 'ipv6' : 'ip'}.addr == ${a}`;
// A destination is an address, or a name with its first addresses; of one with more, no filter has all.
function destinationFilter({ name, also }: Line): string | null {
  const end = /^\[?(.+?)\]?:(\d+)$/.exec(String(name)), isAddress = end && /^[0-9.]+$|:/.test(end[1]);
  const addresses = isAddress ? [end[1]] : Array.isArray(also) ? also.map(String) : [];
  if (!end || !addresses.length || addresses.includes('...')) return null;
  const hosts = addresses.map(ip).join(' || ');
  return `${addresses.length > 1 ? `(${hosts})` : hosts} && (tcp.port == ${end[2]} || udp.port == ${end[2]})`;
}
function filterOf(table: string, line: Line): string | null {
  const name = String(line.name);
  if (table === 'destinations') return destinationFilter(line);
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
              <Table lines={x.rows} columns={['name', 'percent', 'billed', 'payload', 'packets', ...(x.name === 'destinations' ? ['also'] : [])]} label={x.title}
                draw={(k, l) => (k === 'percent' ? <Part percent={Number(l.percent)} /> : k === 'name' && x.name === 'classes' ? tOr('class_' + String(l.name).replaceAll(/\W+/g, '_'), String(l.name)) : undefined)}
                filterOf={(k, l) => (k === 'name' ? filterOf(x.name, l) : null)} />
              {x.note && <p class="aside">{x.note}</p>}
            </section>))}</div>
        </>
      );
    }}</Got></div>
  );
}
