// SPDX-License-Identifier: Apache-2.0
// The frame of the page: head, filter, views of a capture, what floats above.
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { listSessions } from './sessions';
import { Head } from './parts/head';
import { FilterBar } from './parts/filterbar';
import { Menu } from './parts/menu';
import { Dialogs } from './parts/dialogs';
import { Toasts } from './parts/say';
import { Status } from './parts/status';
import { installKeys } from './keys';
import { t } from './i18n';
import { open } from './captures';
import { capture, href, route, view } from './route';
import { Captures } from './views/captures';
import { captureViews, pageViews } from './views';
import './css/all.css';

function Tabs() {
  return (
    <nav class="tabs" aria-label={t('views')}>
      {captureViews.map(v => (
        <a key={v.id} href={href({ view: v.id, args: [], query: route.value.query.filter ? { filter: route.value.query.filter } : {} })}
          ref={e => { if (e && (view.value || captureViews[0].id) === v.id) e.scrollIntoView({ block: 'nearest', inline: 'nearest' }); }}
          aria-current={(view.value || captureViews[0].id) === v.id ? 'page' : undefined}>{t(v.word)}</a>))}
    </nav>
  );
}

function OfCapture() {
  const now = captureViews.find(v => v.id === (view.value || captureViews[0].id)) || captureViews[0];
  return (
    <>
      <FilterBar />
      <Tabs />
      <main class={'view view-' + now.id} id="main" key={capture.value}><now.show /></main>
      <Status />
    </>
  );
}

function useDrop(): void {
  useEffect(() => {
    const over = (e: DragEvent) => { e.preventDefault(); document.body.classList.add('dropping'); };
    const out = (e: DragEvent) => { if (!e.relatedTarget) document.body.classList.remove('dropping'); };
    const drop = (e: DragEvent) => {
      e.preventDefault();
      document.body.classList.remove('dropping');
      if (e.dataTransfer?.files.length) void open([...e.dataTransfer.files]);
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', out);
    addEventListener('drop', drop);
    return () => { removeEventListener('dragover', over); removeEventListener('dragleave', out); removeEventListener('drop', drop); };
  }, []);
}

function App() {
  useDrop();
  const Page = pageViews.find(v => v.id === route.value.view)?.show || Captures;
  return (
    <>
      <Head />
      {capture.value ? <OfCapture /> : <main class="view" id="main"><Page /></main>}
      <Menu />
      <Dialogs />
      <Toasts />
    </>
  );
}

void listSessions();
installKeys();
render(<App />, document.getElementById('app')!);
