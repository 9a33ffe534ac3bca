// SPDX-License-Identifier: Apache-2.0
// A run that worked beside one that did not: step by step, and where they part.
import { useEffect, useState } from 'preact/hooks';
import { query } from '../api';
import { captures, list } from '../captures';
import { num } from '../format';
import { lang, t } from '../i18n';
import { go, href, route } from '../route';
import { Empty, Got, Said } from '../parts/say';
import { useData } from '../use';
import type { Deed, Diff as Result, DiffEnd, DiffRow } from '../types';

function Side({ deed, run, other, detail }: { deed: Deed | null; run: string; other: boolean; detail?: string }) {
  if (!deed) return <td class="deed none"><span class="quiet">{other ? '—' : ''}</span></td>;
  return (
    <td class={'deed' + (deed.trouble ? ' trouble' : '')}>
      <a class="frame-link mono" href={href({ capture: run, view: 'frame', args: [String(deed.frame)], query: {} })}>{deed.frame}</a>{' '}
      <span class="quiet" title={deed.side}>{deed.side === 'client' ? '→' : '←'}</span> {deed.text}{deed.times > 1 && <span class="quiet"> ×{deed.times}</span>}
      {detail && <span class="d-detail">{detail}</span>}
    </td>
  );
}

const sign = { same: '=', value: '≠', missing: '−', extra: '+', allowed: '≈' };
const Row = ({ r, got }: { r: DiffRow; got: Result }) => (
  <tr class={'d-' + r.what}><Side deed={r.good} run={got.good} other={!!r.bad} /><th scope="row" class="d-sign" title={r.what}>{sign[r.what]}</th><Side deed={r.bad} run={got.bad} other={!!r.good} detail={r.detail} /></tr>
);

const endName = (e: DiffEnd | null) => (e ? (e.dns ? 'DNS' : e.client_id || `${e.client}:${e.client_port}`) + ` → ${e.server}:${e.server_port}` : t('missingThere'));

/** parts gives rows with long same stretches between differences hidden. */
function parts(rows: DiffRow[], open: boolean): (DiffRow | number)[] {
  if (open) return rows;
  const near = (i: number) => rows.slice(Math.max(0, i - 2), i + 3).some(r => r.what !== 'same' && r.what !== 'allowed');
  const out: (DiffRow | number)[] = [];
  rows.forEach((r, i) => {
    const last = out[out.length - 1];
    if (near(i)) out.push(r);
    else if (typeof last === 'number') out[out.length - 1] = last + 1;
    else out.push(1);
  });
  return out;
}

function Talk({ c, got }: { c: Result['conversations'][number]; got: Result }) {
  const [open, set] = useState(false);
  return (
    <section class="diff-talk">
      <h3>{endName(c.good)} <span class="quiet">|</span> {endName(c.bad)} {c.differs ? <span class="badge warning">{t('diffCounts', c.missing, c.extra, c.values)}</span> : <span class="badge fine">{t('alike')}</span>}</h3>
      {c.rows.length > 0 && (
        <div class="table-box" tabIndex={0} role="region" aria-label={endName(c.good)}><table class="diff-table">
          <thead><tr><th scope="col">{t('good')}: {got.good}</th><th scope="col"><span class="away">{t('differs')}</span></th><th scope="col">{t('bad')}: {got.bad}</th></tr></thead>
          <tbody>{parts(c.rows, open).map((r, i) => typeof r === 'number'
            ? <tr key={i} class="d-more"><td colSpan={3}><button type="button" class="link" onClick={() => set(true)}>{t('alikeN', num(r))}</button></td></tr> : <Row key={i} r={r} got={got} />)}</tbody>
        </table></div>)}
    </section>
  );
}

function All({ got }: { got: Result }) {
  return (
    <>
      <div class={'verdict ' + (got.same ? 'fine' : 'warning')}><p class="verdict-text"><Said text={(got.same ? t('sameRuns') : got.text) || ''} /></p>{got.explain && <p><Said text={got.explain.text} /></p>}</div>
      {[...got.conversations].sort((a, b) => Number(b.differs) - Number(a.differs)).map((c, i) => <Talk key={i} c={c} got={got} />)}
    </>
  );
}

export function Diff() {
  useEffect(() => { if (!captures.value) void list(); }, []);
  const { good = '', bad = '' } = route.value.query;
  const from = useData<Result>(good && bad ? 'diff' + query({ good, bad, lang: lang.value }) : null);
  const names = (captures.value || []).map(c => c.name);
  const pick = (which: 'good' | 'bad', name: string) => go({ capture: '', view: 'diff', args: [], query: { good, bad, [which]: name } });
  const choose = (which: 'good' | 'bad', now: string) => (
    <label class="field"><span>{t(which === 'good' ? 'goodRun' : 'badRun')}</span>
      <select id={which} value={now} onChange={e => pick(which, e.currentTarget.value)}><option value="">{t('choose')}</option>{names.map(n => <option key={n} value={n}>{n}</option>)}</select></label>
  );
  return (
    <div class="page">
      <h1 class="page-title">{t('diff')}</h1>
      <div class="diff-choose">{choose('good', good)}{choose('bad', bad)}</div>
      {good && bad ? <Got from={from}>{got => <All got={got} />}</Got> : <Empty title={t('diffHow')} />}
    </div>
  );
}
