// SPDX-License-Identifier: Apache-2.0
// Finding a packet: by text, by bytes or by a display filter.
import { useState } from 'preact/hooks';
import { find } from '../frame';
import { t } from '../i18n';
import { dialog, Dialog } from './dialog';
import { tell, tellError } from './say';

/** quoted makes text a string of the filter language. */
const quoted = (text: string) => '"' + text.replace(/[\\"]/g, '\\$&') + '"';
let lastFind = '';

/** findAgain goes to the next packet of what was looked for last, or asks what to look for. */
export async function findAgain(back: boolean): Promise<void> {
  if (!lastFind) { dialog.value = 'find'; return; }
  try {
    if (!(await find(lastFind, back))) tell(t('notFound'));
  } catch (e) {
    tellError(e);
  }
}
export function Find() {
  const [kind, choose] = useState('text');
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    const text = String(new FormData(e.currentTarget as HTMLFormElement).get('text'));
    const hex = text.replace(/[\s:]/g, '');
    lastFind = kind === 'filter' ? text : kind === 'hex' ? 'frame contains ' + (hex.match(/../g) || []).join(':') : 'frame contains ' + quoted(text);
    dialog.value = '';
    void findAgain(false);
  };
  return (
    <Dialog name="find" title={t('findPacket')}>
      <form onSubmit={submit}>
        <div class="segments" role="group" aria-label={t('findPacket')}>
          {(['text', 'hex', 'filter'] as const).map(k => <button key={k} type="button" aria-pressed={kind === k} onClick={() => choose(k)}>{t(k)}</button>)}
        </div>
        <label class="field"><span>{t(kind as 'text')}</span><input name="text" class="mono" required autofocus autocomplete="off" spellcheck={false} /></label>
        <p class="quiet">{t('findHow')}</p>
        <div class="actions"><button type="submit" class="primary">{t('find')}</button></div>
      </form>
    </Dialog>
  );
}
