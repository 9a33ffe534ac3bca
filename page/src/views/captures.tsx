// SPDX-License-Identifier: Apache-2.0
// The first thing seen: what captures there are, and how to get another.
import { useEffect, useRef, useState } from 'preact/hooks';
import { at, save } from '../api';
import { bringing, captures, capturesError, list, open, remove } from '../captures';
import { moment, size } from '../format';
import { t } from '../i18n';
import { openMenu } from '../menu';
import { go, href } from '../route';
import { Empty, Wait, Wrong, tellError } from '../parts/say';
import type { Capture } from '../types';

function One({ c }: { c: Capture }) {
  const choices = () => [
    { label: t('download'), act: () => void save(at(c.name, 'file'), c.name).catch(tellError) },
    { label: t('compareWith'), act: () => go({ view: 'diff', query: { bad: c.name } }) },
    { label: t('delete'), off: c.fixed, act: () => void remove(c.name) },
  ];
  return (
    <li class="card">
      <a class="card-main" href={href({ capture: c.name, view: '', args: [], query: {} })}>
        <span class="card-name">{c.name}</span>
        <span class="quiet">{size(c.size)} · {moment(c.modified)}{c.fixed && <> · {t('fixed')}</>}</span>
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
      <button type="button" class="primary" disabled={!!bringing.value} onClick={() => file.current!.click()}>{t('open')}</button>
      <input ref={file} id="file" type="file" hidden multiple aria-label={t('open')} onChange={e => { void open([...(e.currentTarget.files || [])]); e.currentTarget.value = ''; }} />
      <p class="quiet">{t('formats')}</p>
    </div>
  );
}

export function Captures() {
  const [word, look] = useState('');
  useEffect(() => void list(), []);
  const all = captures.value;
  if (capturesError.value && !all) return <Wrong error={capturesError.value} again={() => void list()} />;
  if (!all) return <Wait />;
  const shown = all.filter(c => c.name.toLowerCase().includes(word.toLowerCase()));
  return (
    <div class="page captures">
      <h1 class="away">{t('captures')}</h1>
      <Drop />
      <section aria-labelledby="have">
        <header class="section-head"><h2 id="have">{t('captures')}</h2>
          {all.length > 8 && <input type="search" value={word} placeholder={t('search')} aria-label={t('search')} onInput={e => look(e.currentTarget.value)} />}
        </header>
        {shown.length ? <ul class="cards">{shown.map(c => <One key={c.name} c={c} />)}</ul> : <Empty title={all.length ? t('noneFound') : t('noCaptures')} />}
      </section>
    </div>
  );
}
