// SPDX-License-Identifier: Apache-2.0
// The dialogs of a capture: go to a packet, find, columns, the keyboard.
import { goTo } from '../frame';
import { t, tOr } from '../i18n';
import { keyList } from '../keys';
import { COLUMNS, columns, type Column } from '../settings';
import { dialog, Dialog } from './dialog';
import { Find } from './find';
import { GiveKey } from './givekey';
import { Start } from './start';

function GoTo() {
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    const no = Number(new FormData(e.currentTarget as HTMLFormElement).get('no'));
    dialog.value = '';
    if (no > 0) void goTo(no);
  };
  return (
    <Dialog name="goto" title={t('goToPacket')}>
      <form onSubmit={submit}>
        <label class="field"><span>{t('packetNumber')}</span><input name="no" type="number" min={1} required autofocus /></label>
        <div class="actions"><button type="submit" class="primary">{t('show')}</button></div>
      </form>
    </Dialog>
  );
}

function Columns() {
  const all = columns.value;
  const set = (next: Column[]) => (columns.value = next.length ? next : COLUMNS);
  const move = (i: number, by: number) => {
    const next = [...all], [c] = next.splice(i, 1);
    next.splice(i + by, 0, c);
    set(next);
  };
  const add = (e: SubmitEvent) => {
    e.preventDefault();
    const form = e.currentTarget as HTMLFormElement, id = String(new FormData(form).get('name')).trim();
    if (id && !all.some(c => c.id === id)) set([...all.slice(0, -1), COLUMNS.find(c => c.id === id) || { id, wide: 120 }, ...all.slice(-1)]);
    form.reset();
  };
  const gone = COLUMNS.filter(c => !all.some(a => a.id === c.id));
  return (
    <Dialog name="columns" title={t('columns')}>
      <ul class="column-list">{all.map((c, i) => (
        <li key={c.id}><span class="mono">{tOr('col_' + c.id, c.id)}</span>
          <label class="away" for={'w-' + c.id}>{t('width')}</label>
          <input id={'w-' + c.id} type="number" min={0} max={900} step={8} value={c.wide} onChange={e => set(all.map(x => (x === c ? { ...c, wide: Math.min(900, Math.max(0, Number(e.currentTarget.value))) } : x)))} />
          <button type="button" class="icon" disabled={!i} aria-label={t('up', c.id)} onClick={() => move(i, -1)}>↑</button>
          <button type="button" class="icon" disabled={i === all.length - 1} aria-label={t('down', c.id)} onClick={() => move(i, 1)}>↓</button>
          <button type="button" class="icon" disabled={all.length === 1} aria-label={t('removeX', c.id)} onClick={() => set(all.filter(x => x !== c))}>✕</button></li>))}</ul>
      <form class="add" onSubmit={add}><input name="name" class="mono" placeholder="mqtt.topic" aria-label={t('fieldName')} list="gone-columns" autocomplete="off" spellcheck={false} />
        <datalist id="gone-columns">{gone.map(c => <option key={c.id} value={c.id} />)}</datalist><button type="submit">{t('addColumn')}</button></form>
      <div class="actions"><button type="button" onClick={() => set(COLUMNS)}>{t('resetColumns')}</button></div>
    </Dialog>
  );
}

const Help = () => (
  <Dialog name="help" title={t('keysHelp')} wide>
    <table class="keys-table"><tbody>{keyList.map(([keys, word]) => <tr key={keys}><th scope="row">{keys.split(' / ').map((k, i) => <span key={k}>{i > 0 && ' / '}<kbd>{k}</kbd></span>)}</th><td>{t(word)}</td></tr>)}</tbody></table>
  </Dialog>
);

export const Dialogs = () => <><GoTo /><Find /><Columns /><GiveKey /><Start /><Help /></>;
