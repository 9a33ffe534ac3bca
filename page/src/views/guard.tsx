// SPDX-License-Identifier: Apache-2.0
// A guard that runs beside the server: how it does, whom it stopped and why, who is banned, who sends most.
import { useEffect, useState } from 'preact/hooks';
import { aborted, change, get, query } from '../api';
import { num, size, span } from '../format';
import { t, tOr } from '../i18n';
import { Empty, Wait, Wrong, tell, tellError } from '../parts/say';
import { Plot } from '../parts/plot';
import { Table, type Line } from '../parts/table';

interface Event {
  timestamp: string;
  src_ip: string;
  src_port: number;
  alert?: { action?: string; rule?: string; signature?: string; clause?: string };
  mqtt?: Record<string, unknown>;
}
interface Stats { [counter: string]: unknown; uptime: number; ready: boolean; brokers: { address: string; up: boolean }[]; workers: { pid: number; restarts: number; clients: number }[] }
interface Ban { kind: string; value: string; reason: string; seconds: number | null }
interface Talker { address: string; packets: number; bytes: number; connections: number }
interface Seen { stats: Stats; bans: Ban[]; talkers: Talker[]; events: Event[] }

const EVERY = 2000, POINTS = 150;
// Counters that say that something was held back or went wrong; the others count what is usual.
const HELD = /refused|dropped|disconnected|banned|would_block|anomalies|timeouts|failures|stalled|backpressure|untracked|suppressed|restarts/;
const n = (s: Stats, key: string) => Number(s[key] || 0);

interface Point { at: number; packets: number; stopped: number }
const stopped = (s: Stats) => n(s, 'guard_dropped_total') + n(s, 'guard_disconnected_total') + n(s, 'guard_connections_refused_total');

function useGuard() {
  const [seen, set] = useState<Seen | null>(null);
  const [error, fail] = useState<Error | null>(null);
  const [points, add] = useState<Point[]>([]);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const look = async () => {
      try {
        const [stats, bans, talkers, events] = await Promise.all([get<Stats>('guard/stats', stop.signal), get<Ban[]>('guard/bans', stop.signal), get<Talker[]>('guard/talkers', stop.signal), get<Event[]>('guard/events', stop.signal)]);
        set({ stats, bans, talkers, events });
        fail(null);
        add(old => [...old.slice(-POINTS), { at: Date.now() / 1000, packets: n(stats, 'guard_packets_client_total') + n(stats, 'guard_packets_broker_total'), stopped: stopped(stats) }]);
      } catch (e) {
        if (!aborted(e)) fail(e as Error);
      }
    };
    void look();
    const timer = setInterval(() => document.hidden || void look(), EVERY);
    return () => { stop.abort(); clearInterval(timer); };
  }, [turn]);
  return { seen, error, points, again: () => setTurn(turn + 1) };
}

const Number_ = ({ label, value, grave }: { label: string; value: string; grave?: boolean }) => <div class={'tile' + (grave ? ' grave' : '')}><b>{value}</b><span class="quiet">{label}</span></div>;

function Tiles({ s }: { s: Stats }) {
  const up = s.brokers.filter(b => b.up).length;
  return (
    <div class="tiles">
      <Number_ label={t('g_state')} value={s.ready ? t('g_ready') : t('g_notReady')} grave={!s.ready} />
      <Number_ label={t('g_clients')} value={num(n(s, 'connections_open'))} />
      <Number_ label={t('g_brokers')} value={`${up} / ${s.brokers.length}`} grave={up < s.brokers.length} />
      <Number_ label={t('g_packets')} value={num(n(s, 'guard_packets_client_total') + n(s, 'guard_packets_broker_total'))} />
      <Number_ label={t('g_stopped')} value={num(stopped(s))} grave={stopped(s) > 0} />
      <Number_ label={t('g_uptime')} value={span(s.uptime)} />
    </div>
  );
}

function Verdicts({ events }: { events: Event[] }) {
  const [only, choose] = useState('');
  if (!events.length) return <Empty title={t('g_quiet')} />;
  const rules = new Map<string, number>();
  for (const e of events) rules.set(e.alert?.rule || '?', (rules.get(e.alert?.rule || '?') || 0) + 1);
  const shown = events.filter(e => !only || e.alert?.rule === only);
  const lines = shown.map((e): Line => ({ time: e.timestamp.slice(11, 23), action: e.alert?.action || '', rule: e.alert?.rule || '', what: e.alert?.signature || '', from: `${e.src_ip}:${e.src_port}`, client: String(e.mqtt?.client_id ?? ''), topic: String(e.mqtt?.topic ?? ''), clause: e.alert?.clause || '' }));
  return (
    <>
      <div class="chips" role="group" aria-label={t('g_rules')}>{[...rules].sort((a, b) => b[1] - a[1]).map(([r, c]) => <button key={r} type="button" class="chip mono" aria-pressed={only === r} onClick={() => choose(only === r ? '' : r)}>{r} {num(c)}</button>)}</div>
      <Table lines={lines} label={t('g_verdicts')} fill draw={(k, l) => (k === 'action' ? <span class={'badge ' + (l.action === 'log' || l.action === 'allow' ? '' : 'error')}>{String(l.action)}</span> : undefined)} />
    </>
  );
}

function Bans({ bans, again }: { bans: Ban[]; again: () => void }) {
  const send = async (method: 'POST' | 'DELETE', values: Record<string, string>) => {
    try {
      await change(method, 'guard/bans' + query(values));
      tell(t(method === 'POST' ? 'g_bannedX' : 'g_liftedX', values.value));
    } catch (e) {
      tellError(e);
    }
    again();
  };
  const add = (e: SubmitEvent) => {
    e.preventDefault();
    const form = e.currentTarget as HTMLFormElement, f = new FormData(form);
    void send('POST', { kind: String(f.get('kind')), value: String(f.get('value')), seconds: String(f.get('seconds')), reason: String(f.get('reason')) });
    form.reset();
  };
  return (
    <>
      {bans.length ? <ul class="bans">{bans.map(b => (
        <li key={b.kind + b.value}><span class="badge error">{tOr('kind_' + b.kind, b.kind)}</span> <code>{b.value}</code> <span class="quiet">{b.reason} · {b.seconds === null ? t('forGood') : t('stillFor', span(b.seconds))}</span>
          <button type="button" onClick={() => void send('DELETE', { kind: b.kind, value: b.value })}>{t('lift')}</button></li>))}</ul> : <p class="quiet">{t('noBans')}</p>}
      <form class="ban-form" onSubmit={add}>
        <select name="kind" aria-label={t('what')}>{['address', 'client', 'user', 'subject'].map(k => <option key={k} value={k}>{tOr('kind_' + k, k)}</option>)}</select>
        <input name="value" required placeholder="192.0.2.0/24" aria-label={t('value')} autocomplete="off" />
        <select name="seconds" aria-label={t('howLong')}><option value="600">10 min</option><option value="3600">1 h</option><option value="86400">24 h</option><option value="">{t('forGood')}</option></select>
        <input name="reason" placeholder={t('reason')} aria-label={t('reason')} autocomplete="off" /><button type="submit" class="danger">{t('ban')}</button>
      </form>
    </>
  );
}

function All({ seen, points, again }: { seen: Seen; points: Point[]; again: () => void }) {
  const { stats } = seen;
  const rates = points.slice(1).map((p, i) => ({ at: p.at, packets: (p.packets - points[i].packets) / (p.at - points[i].at), stopped: (p.stopped - points[i].stopped) / (p.at - points[i].at) }));
  const fired = Object.keys(stats).filter(k => HELD.test(k) && n(stats, k) > 0);
  return (
    <>
      <Tiles s={stats} />
      {rates.length > 2 && <section><h2>{t('g_rate')}</h2><Plot time high={160} x={rates.map(r => r.at)} label={t('g_rate')}
        curves={[{ label: t('g_packets'), values: rates.map(r => r.packets), show: v => v.toFixed(1) }, { label: t('g_stopped'), values: rates.map(r => r.stopped), own: true, show: v => v.toFixed(1) }]} /></section>}
      <section><h2>{t('g_verdicts')}</h2><Verdicts events={seen.events} /></section>
      <div class="volume-grid">
        <section><h2>{t('bans')}</h2><Bans bans={seen.bans} again={again} /></section>
        <section><h2>{t('g_limits')}</h2>{fired.length ? <ul class="limits">{fired.map(k => <li key={k}><b class="n">{num(n(stats, k))}</b> {tOr(k, k.replace(/^guard_|_total$/g, '').replaceAll('_', ' '))}</li>)}</ul> : <p class="quiet">{t('g_noLimits')}</p>}</section>
        <section><h2>{t('g_talkers')}</h2>{seen.talkers.length ? <Table lines={seen.talkers.map(x => ({ ...x }))} label={t('g_talkers')} /> : <p class="quiet">{t('g_noTalkers')}</p>}</section>
        <section><h2>{t('g_workers')}</h2><Table lines={stats.workers.map(w => ({ ...w }))} label={t('g_workers')} draw={(k, l) => (k === 'pid' ? String(l.pid) : undefined)} />
          <ul class="limits">{stats.brokers.map(b => <li key={b.address}><span class={'badge ' + (b.up ? 'fine' : 'error')}>{b.up ? t('g_up') : t('g_down')}</span> {b.address}</li>)}</ul></section>
      </div>
      <p class="aside">{t('g_sent', size(n(stats, 'guard_forwarded_client_bytes_total')), size(n(stats, 'guard_forwarded_broker_bytes_total')))}</p>
    </>
  );
}

export function Guard() {
  const { seen, error, points, again } = useGuard();
  return <div class="page"><h1 class="page-title">{t('guard')}</h1>{error ? <Wrong error={error} again={again} /> : seen ? <All seen={seen} points={points} again={again} /> : <Wait />}</div>;
}
