// SPDX-License-Identifier: Apache-2.0
// A dialog above the page: the browser keeps the focus inside and closes it with Escape.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import type { ComponentChildren } from 'preact';

/** dialog names the one that is open: 'keys', 'start', 'goto', 'columns', 'help', or ''. */
export const dialog = signal('');

export function Dialog({ name, title, children, wide }: { name: string; title: string; children: ComponentChildren; wide?: boolean }) {
  const box = useRef<HTMLDialogElement>(null);
  const open = dialog.value === name;
  useEffect(() => {
    if (open) box.current!.showModal();
  }, [open]);
  if (!open) return null;
  const shut = () => (dialog.value = '');
  return (
    <dialog ref={box} class={wide ? 'wide' : ''} aria-labelledby={'d-' + name} onClose={shut} onClick={e => e.target === box.current && shut()}>
      <div class="dialog-in">
        <header><h2 id={'d-' + name}>{title}</h2><button type="button" class="icon" aria-label={t('close')} onClick={shut}>✕</button></header>
        {children}
      </div>
    </dialog>
  );
}
