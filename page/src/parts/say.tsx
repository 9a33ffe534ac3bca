// SPDX-License-Identifier: Apache-2.0
// What is said where there is nothing to show: waiting, empty, gone wrong.
import { signal } from '@preact/signals';
import { Problem, setToken } from '../api';
import { t } from '../i18n';
import type { ComponentChildren } from 'preact';
import type { Loaded } from '../use';

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="empty"><p class="empty-title">{title}</p>{children && <div>{children}</div>}</div>;
}

function AskToken() {
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    setToken(String(new FormData(e.currentTarget as HTMLFormElement).get('token')).trim());
    location.reload();
  };
  return <form class="add" onSubmit={submit}><input name="token" type="password" required aria-label={t('token')} placeholder={t('token')} autocomplete="current-password" /><button type="submit" class="primary">{t('enter')}</button></form>;
}

export function Wrong({ error, again }: { error: Error; again?: () => void }) {
  const status = error instanceof Problem ? error.status : -1;
  return (
    <div class="empty wrong" role="alert">
      <p class="empty-title">{status === 0 ? t('noServer') : status === 401 ? t('needToken') : t('wentWrong')}</p>
      {status === 401 && <AskToken />}
      {status !== 0 && <p>{error.message}</p>}
      {again && <button type="button" onClick={again}>{t('tryAgain')}</button>}
    </div>
  );
}

export const Wait = ({ done }: { done?: number }) => <div class="wait" role="status"><span class="spin" aria-hidden="true" />{t('reading')}{done ? <progress value={done} aria-label={t('reading')} /> : null}</div>;

/** Said shows a sentence; what stands between backticks is set apart. */
export const Said = ({ text }: { text: string }) => <>{text.split('`').map((part, i) => (i % 2 ? <code key={i}>{part}</code> : part))}</>;

/** Got shows data when it is there, else why not. */
export function Got<T>({ from, children }: { from: Loaded<T>; children: (data: T) => ComponentChildren }) {
  if (from.data !== undefined) return <>{children(from.data)}</>;
  return from.error ? <Wrong error={from.error} again={from.again} /> : <Wait done={from.done} />;
}

interface Said { text: string; bad: boolean; id: number }
const said = signal<Said[]>([]);
let next = 0;
/** tell shows a sentence for a while. */
export function tell(text: string, bad = false): void {
  const one = { text, bad, id: next++ };
  said.value = [...said.value.slice(-3), one];
  setTimeout(() => (said.value = said.value.filter(s => s !== one)), bad ? 9000 : 4000);
}
export const tellError = (e: unknown): void => tell(e instanceof Error ? e.message : String(e), true);

export const Toasts = () => (
  <div class="toasts" role="status">{said.value.map(s => <p key={s.id} class={s.bad ? 'bad' : ''}>{s.text}</p>)}</div>
);
