// SPDX-License-Identifier: Apache-2.0
// How long each step took: DNS, TCP, TLS, then every MQTT exchange. Where nothing happened time is shortened, else the
// steps of a connection that lives for hours would be too thin to see.
import { useMemo, useState } from 'preact/hooks';
import { at } from '../api';
import { num, span } from '../format';
import { t } from '../i18n';
import { capture, filter, go, href } from '../route';
import { Empty, Got } from '../parts/say';
import { useData } from '../use';
import type { Bar, Fall, Waterfall as All } from '../types';

type Scale = (time: number) => number; // percent

/** shortened gives idle spans the width of one short step, and busy time the rest. */
function shortened(f: Fall): Scale {
  const cuts = [...new Set(f.bars.flatMap(b => [b.start, b.end]).concat(f.start, f.end))].sort((a, b) => a - b);
  const busy = (a: number, b: number) => f.bars.some(x => x.state !== 'open' && x.start < b && x.end > a);
  const widths = cuts.slice(1).map((c, i) => (busy(cuts[i], c) ? c - cuts[i] : -(c - cuts[i])));
  const work = widths.filter(w => w > 0).reduce((a, b) => a + b, 0) || 1e-6;
  const gap = work / 12;
  const sums = [0];
  for (const w of widths) sums.push(sums[sums.length - 1] + (w > 0 ? w : Math.min(-w, gap)));
  const whole = sums[sums.length - 1] || 1;
  return time => {
    let i = 0;
    while (i + 2 < cuts.length && cuts[i + 1] <= time) i++;
    const part = cuts[i + 1] > cuts[i] ? (time - cuts[i]) / (cuts[i + 1] - cuts[i]) : 0;
    return ((sums[i] + Math.min(1, part) * (sums[i + 1] - sums[i])) / whole) * 100;
  };
}
const linear = (f: Fall): Scale => time => ((time - f.start) / Math.max(1e-9, f.end - f.start)) * 100;

const name = (b: Bar) => (b.kind === 'mqtt' ? `${b.type ?? 'MQTT'}${b.qos ? ' QoS ' + b.qos : ''}` : b.kind.toUpperCase());
const length = (b: Bar) => (b.state === 'open' ? t('unanswered') : b.end > b.start ? span(b.end - b.start) : '–');

function Step({ b, scale }: { b: Bar; scale: Scale }) {
  const from = Math.min(99.4, scale(b.start)), to = Math.max(scale(b.end), from);
  return (
    <li class="step">
      <a class="step-name" href={href({ view: 'frame', args: [String(b.frame)], query: {} })} title={`${name(b)} ${b.text || ''}`}>
        <span class={'dot k-' + b.kind} aria-hidden="true" />{b.from === 'server' && '← '}{name(b)} <span class="quiet">{b.text}</span></a>
      <span class="step-track"><span class={`step-bar k-${b.kind} is-${b.state}`} style={{ left: from + '%', width: `max(3px, ${(to - from).toFixed(3)}%)` }} /></span>
      <span class={'step-time mono' + (b.state === 'done' ? '' : ' bad-text')}>{length(b)}{b.state === 'failed' && b.code ? ' · ' + b.code : ''}</span>
    </li>
  );
}

function One({ f, whole }: { f: Fall; whole: boolean }) {
  const scale = useMemo(() => (whole ? linear(f) : shortened(f)), [f, whole]);
  return (
    <section class="fall" aria-label={f.client_id || `${f.client.address}:${f.client.port}`}>
      <header><h3>{f.client_id || `${f.client.address}:${f.client.port}`} <span class="quiet">→ {f.server.address}:{f.server.port}</span></h3>
        <span class="quiet">{t('beganAfter', span(f.start), span(f.end - f.start))}</span>
        <button type="button" class="link" onClick={() => go({ view: 'packets', args: [], query: { filter: 'tcp.stream == ' + f.stream } })}>{t('itsPackets')}</button></header>
      <ul>{f.bars.map((b, i) => <Step key={i} b={b} scale={scale} />)}</ul>
      {f.left_out > 0 && <p class="aside">{t('leftOut', num(f.left_out))}</p>}
    </section>
  );
}

export function Waterfall() {
  const [whole, set] = useState(false);
  const from = useData<All>(at(capture.value, 'waterfall', { filter: filter.value, bars: 100, limit: 100 }));
  return (
    <div class="page">
      <div class="fall-bar">
        <div class="segments" role="group" aria-label={t('scale')}>
          <button type="button" aria-pressed={!whole} onClick={() => set(false)}>{t('idleShort')}</button>
          <button type="button" aria-pressed={whole} onClick={() => set(true)}>{t('trueTime')}</button>
        </div>
        <p class="legend">{['dns', 'tcp', 'tls', 'websocket', 'mqtt'].map(k => <span key={k}><span class={'dot k-' + k} aria-hidden="true" />{k === 'websocket' ? 'WebSocket' : k.toUpperCase()}</span>)}</p>
      </div>
      <Got from={from}>{got => got.connections.length
        ? <>{got.connections.map(f => <One key={f.stream} f={f} whole={whole} />)}{got.left_out + got.all - got.connections.length > 0 && <p class="aside">{t('fallsShown', num(got.connections.length), num(got.all))}</p>}</>
        : <Empty title={t('noConnections')} />}</Got>
    </div>
  );
}
