// SPDX-License-Identifier: Apache-2.0
// Giving a key: a key log or a private key, pasted, dropped or from a file. The server keeps it and never hands it out.
import { useEffect, useState } from 'preact/hooks';
import { at, change, get } from '../api';
import { num } from '../format';
import { frame, goTo } from '../frame';
import { t } from '../i18n';
import { capture } from '../route';
import { again } from '../rows';
import { dialog, Dialog } from './dialog';
import { tell, tellError } from './say';

interface Keys { secrets: number; private_keys: number }

export function GiveKey() {
  const [text, write] = useState('');
  const [have, set] = useState<Keys | null>(null);
  const open = dialog.value === 'keys';
  useEffect(() => {
    if (open) get<Keys>(at(capture.peek(), 'keys')).then(set, tellError);
  }, [open]);
  const done = (got: Keys | null) => {
    set(got);
    write('');
    dialog.value = '';
    tell(got ? t('keysTaken', num(got.secrets), num(got.private_keys)) : t('keysForgotten'));
    const no = frame.peek()?.no;
    again();
    if (no) setTimeout(() => void goTo(no), 50);
  };
  const give = (body: Blob) => void change<Keys>('PUT', at(capture.peek(), 'keys'), body).then(done, tellError);
  const forget = () => void change('DELETE', at(capture.peek(), 'keys')).then(() => done(null), tellError);
  return (
    <Dialog name="keys" title={t('giveKey')} wide>
      <p class="quiet">{t('keyHow')}</p>
      <label class="field"><span>{t('keyText')}</span>
        <textarea class="mono" rows={6} value={text} spellcheck={false} placeholder={'CLIENT_HANDSHAKE_TRAFFIC_SECRET …\n-----BEGIN PRIVATE KEY-----'} onInput={e => write(e.currentTarget.value)} /></label>
      <label class="field"><span>{t('keyFile')}</span><input type="file" id="key-file" onChange={e => { const f = e.currentTarget.files?.[0]; if (f) give(f); e.currentTarget.value = ''; }} /></label>
      {have && <p>{have.secrets + have.private_keys ? t('keysHave', num(have.secrets), num(have.private_keys)) : t('keysNone')}</p>}
      <div class="actions">
        {have && have.secrets + have.private_keys > 0 && <button type="button" class="danger" onClick={forget}>{t('forget')}</button>}
        <button type="button" class="primary" disabled={!text.trim()} onClick={() => give(new Blob([text.trim() + '\n']))}>{t('give')}</button>
      </div>
    </Dialog>
  );
}
