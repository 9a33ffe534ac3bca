// SPDX-License-Identifier: Apache-2.0
// Starting a capture: on an interface, or for one device wherever it appears.
import { useEffect, useState } from 'preact/hooks';
import { get } from '../api';
import { list } from '../captures';
import { t, tOr } from '../i18n';
import { go } from '../route';
import { start, type Device, type Interface, type Wanted } from '../sessions';
import { dialog, Dialog } from './dialog';

const TIMES: [number, string][] = [[60, '1 min'], [300, '5 min'], [900, '15 min'], [3600, '1 h'], [21600, '6 h'], [86400, '24 h']];
const HIDDEN = ['addresses', 'clients', 'topics', 'payloads'];

export function Start() {
  const open = dialog.value === 'start';
  const [of, choose] = useState<'device' | 'interface'>('interface');
  const [faces, setFaces] = useState<Interface[]>([]);
  const [devices, setDevices] = useState<Device[]>([]);
  const [wrong, complain] = useState('');
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (!open) return;
    complain('');
    get<{ interfaces: Interface[] }>('interfaces').then(g => setFaces(g.interfaces), e => complain(e.message));
    get<{ devices: Device[] }>('devices').then(g => setDevices(g.devices), () => {});
  }, [open]);
  const submit = async (e: SubmitEvent) => {
    e.preventDefault();
    const f = new FormData(e.currentTarget as HTMLFormElement), text = (name: string) => String(f.get(name) || '').trim();
    const wanted: Wanted = { duration: Number(f.get('duration')) };
    if (text('name')) wanted.name = text('name');
    if (text('filter')) wanted.filter = text('filter');
    if (of === 'device' && text('interface')) wanted.interface = text('interface');
    if (f.getAll('redact').length) wanted.redact = f.getAll('redact').map(String);
    setBusy(true);
    try {
      const s = await start(of === 'interface' ? 'interface:' + text('interface') : text('device'), wanted);
      dialog.value = '';
      await list();
      if (s.capture) go({ capture: s.capture, view: 'packets', args: [], query: {} });
    } catch (error) {
      complain((error as Error).message);
    }
    setBusy(false);
  };
  const face = (
    <label class="field"><span>{t('interface')}</span><select name="interface">
      {of === 'device' && <option value="">{t('usual')}</option>}
      {faces.map(i => <option key={i.name} value={i.name} selected={of === 'interface' && i.default}>{i.name}{i.addresses.length ? ' · ' + i.addresses.slice(0, 2).join(', ') : ''}{i.up ? '' : ' · ' + t('isDown')}</option>)}
    </select></label>
  );
  return (
    <Dialog name="start" title={t('startCapture')}>
      <form onSubmit={e => void submit(e)}>
        <div class="segments" role="group" aria-label={t('what')}>
          <button type="button" aria-pressed={of === 'interface'} onClick={() => choose('interface')}>{t('interface')}</button>
          <button type="button" aria-pressed={of === 'device'} onClick={() => choose('device')}>{t('oneDevice')}</button>
        </div>
        {of === 'device' && (
          <label class="field"><span>{t('device')}</span>
            <input name="device" required class="mono" list="devices" placeholder="192.0.2.7, 02:00:00:00:00:07, mqtt:pump-7" autocomplete="off" spellcheck={false} />
            <datalist id="devices">{devices.map(d => <option key={d.id} value={d.id}>{[d.description, d.of !== d.id && d.of, d.mac, d.interface].filter(Boolean).join(' · ')}</option>)}</datalist>
            <small class="quiet">{t('deviceHow')}</small></label>)}
        {face}
        <label class="field"><span>{t('howLong')}</span><select name="duration">{TIMES.map(([s, text]) => <option key={s} value={s} selected={s === 300}>{text}</option>)}</select></label>
        <details><summary>{t('moreChoices')}</summary>
          <label class="field"><span>{t('name')}</span><input name="name" pattern="[A-Za-z0-9_][A-Za-z0-9._\-]*" maxLength={70} autocomplete="off" /></label>
          <label class="field"><span>{t('captureFilter')}</span><input name="filter" class="mono" placeholder="tcp port 1883 or port 8883" autocomplete="off" spellcheck={false} /></label>
          <fieldset><legend>{t('redact')}</legend>{HIDDEN.map(h => <label key={h} class="check"><input type="checkbox" name="redact" value={h} /> {tOr('redact_' + h, h)}</label>)}</fieldset>
        </details>
        {wrong && <p class="bad-text" role="alert">{wrong}</p>}
        <div class="actions"><button type="submit" class="primary" disabled={busy}>{t('start')}</button></div>
      </form>
    </Dialog>
  );
}
