// SPDX-License-Identifier: Apache-2.0
// The first look at a capture: who talks with whom, how it went, and when.
import { useMemo } from 'preact/hooks';
import { at } from '../api';
import { num, size, span } from '../format';
import { t, tOr } from '../i18n';
import { capture, filter, go } from '../route';
import { Empty, Got } from '../parts/say';
import { Spark } from '../parts/spark';
import { Table, type Line } from '../parts/table';
import { useData } from '../use';
import type { Connection, Connections as All, End } from '../types';

const end = (e: End) => (e.address.includes(':') ? `[${e.address}]:${e.port}` : `${e.address}:${e.port}`);
const trouble = (c: Connection) => (c.retransmissions || 0) + (c.out_of_order || 0) + (c.lost || 0) + (c.zero_windows || 0);
const letters = (flags?: string[]) => (flags || []).map(f => f[0]).join('');
const COLUMNS = ['stream', 'client', 'server', 'name', 'protocol', 'state', 'packets', 'bytes', 'start', 'duration', 'rtt', 'retransmissions', 'when'];

function lineOf(c: Connection): Line {
  return {
    stream: c.stream, client: end(c.client), server: end(c.server), name: c.name, protocol: c.protocol, state: c.state || '',
    packets: c.packets[0] + c.packets[1], bytes: c.bytes[0] + c.bytes[1], start: c.start, duration: c.duration,
    rtt: c.rtt ?? c.initial_rtt ?? null, retransmissions: trouble(c), filter: c.filter, when: '',
  };
}

function State({ c }: { c: Connection }) {
  if (!c.state) return <span class="quiet">{c.transport.toUpperCase()}</span>;
  const grave = { reset: 'error', unanswered: 'error', closed: 'fine' }[c.state] || '';
  return <span title={`→ ${c.flags?.[0].join(' ') || ''}\n← ${c.flags?.[1].join(' ') || ''}`}><span class={'badge ' + grave}>{tOr('state_' + c.state, c.state)}</span>{' '}
    <span class="mono quiet">{letters(c.flags?.[0])}·{letters(c.flags?.[1])}</span></span>;
}

function troubleText(c: Connection): string {
  return ([['retransmissions', c.retransmissions], ['out_of_order', c.out_of_order], ['lost', c.lost], ['duplicate_acks', c.duplicate_acks], ['zero_windows', c.zero_windows]] as const)
    .filter(([, n]) => n).map(([k, n]) => `${tOr('th_' + k, k)} ${num(n!)}`).join('\n');
}

function Rows({ got }: { got: All }) {
  const { lines, of } = useMemo(() => {
    const of = new Map<Line, Connection>();
    for (const c of got.connections) of.set(lineOf(c), c);
    return { lines: [...of.keys()], of };
  }, [got]);
  const draw = (key: string, l: Line) => {
    const c = of.get(l)!;
    if (key === 'state') return <State c={c} />;
    if (key === 'when') return <Spark values={c.histogram} label={t('whenBytes', size(c.bytes[0] + c.bytes[1]), span(c.duration))} />;
    if (key === 'retransmissions') return trouble(c) ? <span class="badge warning" title={troubleText(c)}>{num(trouble(c))}</span> : <span class="quiet">0</span>;
    if (key === 'bytes') return <span title={`→ ${num(c.bytes[0])}\n← ${num(c.bytes[1])}`}>{size(c.bytes[0] + c.bytes[1])}</span>;
    if (key === 'packets') return <span title={`→ ${num(c.packets[0])}\n← ${num(c.packets[1])}`}>{num(c.packets[0] + c.packets[1])}</span>;
    if (key === 'rtt' && c.rtt !== undefined) return <span title={t('rttMost', span(c.rtt_max ?? c.rtt))}>{span(c.rtt)}</span>;
    return undefined;
  };
  const filterOf = (key: string, l: Line) => {
    const c = of.get(l)!;
    if (key === 'stream') return c.filter;
    if (key !== 'client' && key !== 'server') return null;
    const e = c[key], ip = e.address.includes(':') ? 'ipv6' : 'ip';
    return `${ip}.addr == ${e.address} && ${c.transport}.port == ${e.port}`;
  };
  return (
    <>
      <p class="aside">{t('connectionsN', num(got.all), span(got.duration))}{got.left_out > 0 && <> {t('leftOut', num(got.left_out))}</>}</p>
      <Table lines={lines} columns={COLUMNS} label={t('connections')} draw={draw} filterOf={filterOf} fill
        heads={{ stream: '#', rtt: 'RTT', when: t('when') }}
        onLine={l => go({ view: 'packets', args: [], query: { filter: String(l.filter) } })} />
    </>
  );
}

export function Connections() {
  const from = useData<All>(at(capture.value, 'connections', { filter: filter.value, limit: 20000 }));
  const toPackets = <button type="button" onClick={() => go({ view: 'packets', args: [] })}>{t('packets')}</button>;
  return (
    <div class="page tall">
      <Got from={from}>{got => got.connections.length ? <Rows got={got} /> : <Empty title={t('noConnections')}>{toPackets}</Empty>}</Got>
      {from.loading && <p>{toPackets}</p>}
    </div>
  );
}
