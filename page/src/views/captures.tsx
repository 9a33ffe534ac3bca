// SPDX-License-Identifier: Apache-2.0
// The first thing seen: what captures there are, and how to get another.
import { useEffect, useRef, useState } from 'preact/hooks';
import { at, save } from '../api';
import { bringing, captures, capturesError, list, open, remove } from '../captures';
import { moment, size } from '../format';
import { t } from '../i18n';
import { openMenu } from '../menu';
import { go, href } from '../route';
import { dialog } from '../parts/dialog';
import { Live, State } from '../parts/live';
import { Empty, Wait, Wrong, tellError } from '../parts/say';
import { address, isOver, listSessions, running, sessionOf, unavailable } from '../sessions';
import type { Capture } from '../types';

function One({ c }: { c: Capture }) {
  const s = sessionOf(c.name);
  const choices = () => [
    ...(s && isOver(s) ? [{ label: t('copyAddress'), act: () => void address(s) }] : []),
    { label: t('download'), act: () => void save(at(c.name, 'file'), c.name).catch(tellError) },
    { label: t('compareWith'), act: () => go({ view: 'diff', query: { bad: c.name } }) },
    { label: t('delete'), off: c.fixed, act: () => void remove(c.name) },
  ];
  return (
    <li class="card">
      <a class="card-main" href={href({ capture: c.name, view: '', args: [], query: {} })}>
        <span class="card-name">{c.name}</span>
        <span class="quiet">{size(c.size)} · {moment(c.modified)}{c.fixed && <> · {t('fixed')}</>}</span>
        {s && <span class="card-session"><State s={s} /> <span class="quiet">{s.device}{s.expires && <> · {t('keptUntil', moment(s.expires))}</>}</span></span>}
      </a>
      <button type="button" class="icon" aria-label={t('more', c.name)} onClick={e => openMenu(e, choices(), c.name)}>⋯</button>
    </li>
  );
}

function Drop() {
  const file = useRef<HTMLInputElement>(null);
  return (
    <div class="drop">
      <p class="drop-title">{bringing.value ? t('bringing', bringing.value) : t('dropHere')}</p>
      <p class="drop-acts"><button type="button" class="primary" disabled={!!bringing.value} onClick={() => file.current!.click()}>{t('open')}</button>
        <button type="button" id="start" disabled={!!unavailable.value} title={unavailable.value || undefined} onClick={() => (dialog.value = 'start')}>{t('startCapture')}</button></p>
      <input ref={file} id="file" type="file" hidden multiple aria-label={t('open')} onChange={e => { void open([...(e.currentTarget.files || [])]); e.currentTarget.value = ''; }} />
      <p class="quiet">{t('formats')}</p>
      {unavailable.value && <p class="quiet">{unavailable.value}</p>}
    </div>
  );
}

export function Captures() {
  const [word, look] = useState('');
  useEffect(() => { void list(); void listSessions(); }, []);
  const all = captures.value;
  if (capturesError.value && !all) return <Wrong error={capturesError.value} again={() => void list()} />;
  if (!all) return <Wait />;
  const shown = all.filter(c => c.name.toLowerCase().includes(word.toLowerCase()));
  return (
    <div class="page captures">
      <h1 class="away">{t('captures')}</h1>
      <Drop />
      {running.value.length > 0 && <section aria-labelledby="now"><h2 id="now">{t('nowTaken')}</h2>{running.value.map(x => <Live key={x.id} s={x} />)}</section>}
      <section aria-labelledby="have">
        <header class="section-head"><h2 id="have">{t('captures')}</h2>
          {all.length > 8 && <input type="search" value={word} placeholder={t('search')} aria-label={t('search')} onInput={e => look(e.currentTarget.value)} />}
        </header>
        {shown.length ? <ul class="cards">{shown.map(c => <One key={c.name} c={c} />)}</ul> : <Empty title={all.length ? t('noneFound') : t('noCaptures')} />}
      </section>
    </div>
  );
}
