// SPDX-License-Identifier: Apache-2.0
// Statistics: each kind of `weir stats`, its tables, and a plot where one says more.
import { at } from '../api';
import { t, tOr } from '../i18n';
import { capture, filter, go, route } from '../route';
import { Table } from '../parts/table';
import { Empty, Got } from '../parts/say';
import { useData } from '../use';
import { IoPlot } from './io';
import type { Line } from '../parts/table';
import type { Tables } from '../types';

const OF: Record<string, string> = { ip: 'IPv4', ipv6: 'IPv6', tcp: 'TCP', udp: 'UDP', eth: 'Ethernet' };
const KINDS = ['io', 'protocols', ...Object.keys(OF).map(of => 'endpoints/' + of), ...Object.keys(OF).map(of => 'conversations/' + of), 'expert', 'rtt', 'flags', 'dns'];
const title = (kind: string): string => {
  const [what, of] = kind.split('/');
  return tOr('st_' + what, what.toUpperCase()) + (of ? ': ' + (OF[of] || of) : '');
};

const address = (a: unknown): string => {
  const text = String(a);
  return /^\d+\.\d+\.\d+\.\d+$/.test(text) ? `ip.addr == ${text}` : /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? `eth.addr == ${text}` : `ipv6.addr == ${text}`;
};
/** filterOf gives the filter that finds what a cell counts. */
function filterOf(kind: string) {
  const port = kind.endsWith('udp') ? 'udp.port' : 'tcp.port';
  return (key: string, l: Line): string | null => {
    if (/^address/.test(key) && l[key]) {
      const p = l[key.replace('address', 'port')];
      return address(l[key]) + (p != null ? ` && ${port} == ${p}` : '');
    }
    if (key === 'port' || key.startsWith('port_')) return `${port} == ${l[key]}`;
    if (key === 'stream') return `${kind.endsWith('udp') ? 'udp' : 'tcp'}.stream == ${l[key]}`;
    if (key === 'protocol' && kind === 'protocols') return String(l[key]);
    if (key === 'first_frame') return `frame.number == ${l[key]}`;
    if (key === 'field' && l[key]) return String(l[key]);
    return null;
  };
}

function Kind({ kind }: { kind: string }) {
  const from = useData<Tables>(at(capture.value, 'stats/' + kind, { filter: filter.value }));
  return (
    <Got from={from}>{got => got.tables.every(x => !x.rows.length) ? <Empty title={t('nothingCounted')} /> : <>{got.tables.filter(x => x.rows.length).map(x => (
      <section key={x.name} aria-label={x.title}>
        {got.tables.length > 1 && <h2>{x.title}</h2>}
        <Table lines={x.rows} label={x.title} filterOf={filterOf(kind)} />
        {x.note && <p class="aside">{x.note}</p>}
      </section>))}</>}</Got>
  );
}

export function Stats() {
  const kind = route.value.args.join('/') || 'io';
  const pick = (k: string) => go({ args: k.split('/') });
  return (
    <div class="page stats">
      <div class="side-nav">
        <label class="narrow-only">{t('what')} <select value={kind} onChange={e => pick(e.currentTarget.value)}>{KINDS.map(k => <option key={k} value={k}>{title(k)}</option>)}</select></label>
        <nav class="wide-only" aria-label={t('stats')}>{KINDS.map(k => <button key={k} type="button" aria-current={k === kind ? 'true' : undefined} onClick={() => pick(k)}>{title(k)}</button>)}</nav>
      </div>
      <div class="side-main">
        <h2 class="kind-title">{title(kind)}{filter.value && <code class="filter-note">{filter.value}</code>}</h2>
        {kind === 'io' ? <IoPlot /> : <Kind key={kind} kind={kind} />}
      </div>
    </div>
  );
}
