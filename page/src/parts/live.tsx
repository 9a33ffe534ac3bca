// SPDX-License-Identifier: Apache-2.0
// Captures that are being taken: how much came, until when, and the button that stops them.
import { useEffect, useState } from 'preact/hooks';
import { num, size, span } from '../format';
import { t, tOr } from '../i18n';
import { href } from '../route';
import { isOver, stop, type Session } from '../sessions';

/** useNow counts seconds while something is shown that depends on them. */
function useNow(on: boolean): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => set(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [on]);
  return now;
}

export const State = ({ s }: { s: Session }) => (
  <span class={'badge state-' + s.state + (s.state === 'FAILED' ? ' error' : s.state === 'CAPTURING' ? ' fine' : '')} title={s.reason}>{s.state === 'CAPTURING' && <span class="pulse" aria-hidden="true" />}{tOr('session_' + s.state, s.state)}</span>
);

export function Live({ s, small }: { s: Session; small?: boolean }) {
  const over = isOver(s), now = useNow(!over);
  const gone = s.started ? (now - Date.parse(s.started)) / 1000 : 0, share = Math.min(1, Math.max(0, gone / s.duration));
  return (
    <div class={'live' + (small ? ' small' : '')}>
      <State s={s} />
      {!small && (s.capture ? <a href={href({ capture: s.capture, view: 'packets', args: [], query: {} })}><b>{s.name || s.capture}</b></a> : <b>{s.name || s.device}</b>)}
      <span>{s.device}{s.kind !== 'interface' && <span class="quiet"> · {s.interface}</span>}</span>
      <span class="quiet">{t('gotSoFar', num(s.packets), size(s.bytes))}{s.dropped > 0 && <span class="bad-text"> · {t('droppedN', num(s.dropped))}</span>}</span>
      {!over && s.started && <span class="live-time"><progress value={share} max={1} aria-label={t('howLong')} /> <span class="quiet">{span(Math.max(0, Math.ceil(s.duration - gone)))}</span></span>}
      {s.reason && <span class={s.state === 'FAILED' ? 'bad-text' : 'quiet'}>{s.reason}</span>}
      {!over && <button type="button" class="danger" onClick={() => void stop(s)}>{t('stop')}</button>}
    </div>
  );
}
