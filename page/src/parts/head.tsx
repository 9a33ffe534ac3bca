// SPDX-License-Identifier: Apache-2.0
// The head of the page: where one is, and what is chosen for all views.
import { at, get, save } from '../api';
import { signal } from '@preact/signals';
import { t, lang, LANGS, type Lang } from '../i18n';
import { openMenu } from '../menu';
import { useEffect } from 'preact/hooks';
import { capture, go, href, route } from '../route';
import { TIMES, theme, time, type Theme } from '../settings';
import { dialog } from './dialog';
import { tellError } from './say';
import type { Word } from '../i18n';

const Mark = () => (
  <svg class="logo" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
    <path d="M2 7c3-2.5 5 2.5 8 0s5-2.5 7 0" /><path d="M17 5v13" class="wall" /><path d="M2 12c3-2.5 5 2.5 8 0s4-2 5-1" /><path d="M17 17c2 1.5 3 1.5 5 0M2 17c3-2.5 5 2.5 8 0s4-2 5-1" />
  </svg>
);

function captureMenu(e: MouseEvent): void {
  const name = capture.peek();
  openMenu(e, [
    { label: t('giveKey'), act: () => (dialog.value = 'keys') },
    { label: t('columns'), act: () => (dialog.value = 'columns') },
    { label: t('compareWith'), act: () => go({ capture: '', view: 'diff', args: [], query: { bad: name } }) },
    { label: t('goToPacket'), hint: 'Ctrl G', act: () => (dialog.value = 'goto') },
    null,
    { label: t('download'), act: () => void save(at(name, 'file'), name).catch(tellError) },
  ], name);
}

function settingsMenu(e: MouseEvent): void {
  const dot = (on: boolean, label: string) => (on ? '● ' : '○ ') + label;
  const themes: [Theme, Word][] = [['system', 'themeSystem'], ['light', 'themeLight'], ['dark', 'themeDark']];
  openMenu(e, [
    ...themes.map(([id, word]) => ({ label: dot(theme.value === id, t(word)), act: () => (theme.value = id) })),
    null,
    ...Object.entries(LANGS).map(([id, name]) => ({ label: dot(lang.value === id, name), act: () => (lang.value = id as Lang) })),
    null,
    { label: t('keysHelp'), hint: '?', act: () => (dialog.value = 'help') },
  ], t('settings'));
}

const guarded = signal(false);
function Nav() {
  useEffect(() => void get<{ configured: boolean }>('guard').then(g => (guarded.value = g.configured), () => {}), []);
  const places: [string, Word][] = [['captures', 'captures'], ['diff', 'diff'], ...(guarded.value ? [['guard', 'guard'] as [string, Word]] : [])];
  return (
    <nav class="nav" aria-label={t('views')}>{places.map(([id, word]) => (
      <a key={id} href={href({ capture: '', view: id, args: [], query: {} })} aria-current={route.value.view === id ? 'page' : undefined}>{t(word)}</a>))}</nav>
  );
}

export function Head() {
  const name = capture.value;
  return (
    <header class="head">
      <a class="brand" href="#/" title={t('allCaptures')}><Mark /><span>weir</span></a>
      {name ? (
        <>
          <h1 class="crumb"><span aria-hidden="true">/</span><span title={name}>{name}</span></h1>
          <label class="time"><span class="wide-only">{t('time')}</span>
            <select id="time" value={time.value} aria-label={t('time')} onChange={e => (time.value = e.currentTarget.value)}>
              {TIMES.map(x => <option key={x} value={x}>{t(('time_' + x) as Word)}</option>)}
            </select>
          </label>
          <button type="button" id="capture-menu" class="icon" aria-haspopup="menu" aria-label={t('more', name)} onClick={captureMenu}>⋯</button>
        </>
      ) : <Nav />}
      <button type="button" id="settings" class="icon" aria-haspopup="menu" aria-label={t('settings')} title={t('settings')} onClick={settingsMenu}>◐</button>
    </header>
  );
}
