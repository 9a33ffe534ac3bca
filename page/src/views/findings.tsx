// SPDX-License-Identifier: Apache-2.0
// What explain found, the gravest first; each finding shows the packets it speaks of.
import { useState } from 'preact/hooks';
import { at } from '../api';
import { t, tOr, lang } from '../i18n';
import { capture, filter, go } from '../route';
import { FrameLinks } from '../parts/frames';
import { Empty, Got, Said } from '../parts/say';
import { useData } from '../use';
import type { Explained, Finding } from '../types';

const GRAVITY = ['error', 'warning', 'note'];

function One({ f }: { f: Finding }) {
  const stream = f['tcp.stream'];
  return (
    <article class={'finding ' + f.severity}>
      <p class="finding-head"><span class={'badge ' + f.severity}>{tOr('sev_' + f.severity, f.severity)}</span>
        <span class="quiet">{f.stage.toUpperCase()} · <code>{f.id}</code>{f.confidence && f.confidence !== 'sure' && <> · {tOr('conf_' + f.confidence, f.confidence)}</>}</span></p>
      <p class="finding-text"><Said text={f.text} /></p>
      {f.next && <p class="finding-next"><Said text={f.next} /></p>}
      <FrameLinks frames={f.frames} />
      {stream !== undefined && <p><button type="button" class="link" onClick={() => go({ view: 'follow', args: ['tcp', String(stream)], query: {} })}>{t('followConversation', stream)}</button></p>}
    </article>
  );
}

function Roles({ e }: { e: Explained }) {
  if (!e.roles?.length) return null;
  return (
    <section aria-labelledby="roles"><h2 id="roles">{t('roles')}</h2>
      <ul class="roles">{e.roles.map((r, i) => (
        <li key={i}><span class={'role ' + r.role}>{tOr('role_' + r.role, r.role)}</span> <b>{r.client_id || r.address}</b>
          {r.client_id && <span class="quiet"> {r.address}</span>}{r.topic && <code>{r.topic}</code>}</li>))}</ul>
    </section>
  );
}

function All({ e }: { e: Explained }) {
  const [only, choose] = useState('');
  const shown = e.findings.filter(f => !only || f.severity === only).sort((a, b) => GRAVITY.indexOf(a.severity) - GRAVITY.indexOf(b.severity));
  const counts = GRAVITY.map(s => [s, e.findings.filter(f => f.severity === s).length] as const);
  return (
    <div class="page findings">
      <div class={'verdict ' + (e.fine ? 'fine' : e.errors ? 'error' : e.warnings ? 'warning' : 'fine')}>
        <p class="verdict-text"><Said text={e.verdict && !e.fine ? e.verdict.text : t('nothingWrong')} /></p>
        {e.verdict && !e.fine && <FrameLinks frames={e.verdict.frames} />}
      </div>
      <div class="chips" role="group" aria-label={t('severity')}>
        {counts.map(([s, n]) => <button key={s} type="button" class={'chip ' + s} aria-pressed={only === s} disabled={!n} onClick={() => choose(only === s ? '' : s)}>{tOr('sev_' + s, s)} {n}</button>)}
      </div>
      {shown.length ? shown.map((f, i) => <One key={i} f={f} />) : <Empty title={t('noFindings')} />}
      <Roles e={e} />
    </div>
  );
}

export function Findings() {
  return <Got from={useData<Explained>(at(capture.value, 'explain', { filter: filter.value, lang: lang.value }))}>{e => <All e={e} />}</Got>;
}
