// SPDX-License-Identifier: Apache-2.0
// The line at the bottom: how many packets are shown, of how many.
import { num } from '../format';
import { frame, marks } from '../frame';
import { t } from '../i18n';
import { counted, damaged, failure, growing, progress, read, total } from '../rows';
import { capture, filter } from '../route';
import { isOver, sessionOf } from '../sessions';
import { following } from './list';
import { Live } from './live';
import { dialog } from './dialog';

export function Status() {
  const done = counted.value, s = sessionOf(capture.value);
  const wrong = failure.value;
  const text = wrong ? '' : !done ? t('countingSoFar', num(total.value), (progress.value * 100).toFixed(0)) : filter.value
    ? t('shownOf', num(total.value), num(read.value), read.value ? ((total.value / read.value) * 100).toFixed(1) : '0') : t('packetsN', num(total.value));
  return (
    <footer class="status">
      <span role="status" id="count">{!done && !wrong && <span class="spin" aria-hidden="true" />}{text}</span>
      {growing.value && <label class="check"><input type="checkbox" checked={following.value} onChange={e => (following.value = e.currentTarget.checked)} /> {t('followEnd')}</label>}
      {s && !isOver(s) && <Live s={s} small />}
      {marks.value.size > 0 && <span>{t('marked', num(marks.value.size))}</span>}
      {frame.value && <span class="wide-only">{t('packetNo', frame.value.no)}</span>}
      {damaged.value && <span class="bad-text">{t('damaged', damaged.value)}</span>}
      <button type="button" class="link" onClick={() => (dialog.value = 'help')}>{t('keysHelp')}</button>
    </footer>
  );
}
