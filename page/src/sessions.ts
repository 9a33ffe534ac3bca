// SPDX-License-Identifier: Apache-2.0
// Captures on demand: what is being taken, starting, stopping, and what the server tells while packets come.
import { computed, signal } from '@preact/signals';
import { Problem, aborted, change, get, send } from './api';
import { t } from './i18n';
import { tell, tellError } from './parts/say';

export interface Session {
  id: string;
  device: string;
  kind: string;
  of: string;
  name?: string;
  state: string;
  reason?: string;
  duration: number;
  interface: string;
  filter?: string;
  packets: number;
  bytes: number;
  dropped: number;
  created: string;
  started?: string;
  ended?: string;
  expires?: string;
  capture?: string;
  by?: string;
}
export interface Device { id: string; kind: string; of?: string; description?: string; mac?: string; interface?: string; known_by?: string }
export interface Interface { name: string; description?: string; up: boolean; running: boolean; loopback: boolean; default: boolean; addresses: string[] }
export interface Wanted { duration: number; name?: string; filter?: string; interface?: string; snaplen?: number; max_bytes?: number; redact?: string[] }

export const sessions = signal<Session[]>([]);
/** onDemand says why there are no captures on demand; empty: there are. */
export const unavailable = signal('');

export const isOver = (s: Session): boolean => ['DONE', 'FAILED', 'STOPPED'].includes(s.state);
export const running = computed(() => sessions.value.filter(s => !isOver(s)));
export const isGrowing = (capture: string): boolean => sessions.peek().some(s => s.capture === capture && !isOver(s));
export const sessionOf = (capture: string): Session | undefined => sessions.value.find(s => s.capture === capture);

const watched = new Map<string, AbortController>();

/** events reads server-sent events; the browser's own reader cannot send a token. */
async function* events<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
  const reader = (await send(path, { signal })).body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop()!;
    for (const p of parts) {
      const data = /^data: (.*)$/m.exec(p);
      if (data) yield JSON.parse(data[1]) as T;
    }
  }
}

function put(s: Session): void {
  const there = sessions.peek().some(x => x.id === s.id);
  sessions.value = there ? sessions.peek().map(x => (x.id === s.id ? s : x)) : [s, ...sessions.peek()];
}

/** watch keeps a session up to date until it is over. */
async function watch(id: string): Promise<void> {
  if (watched.has(id)) return;
  const stop = new AbortController();
  watched.set(id, stop);
  try {
    for await (const s of events<Session>(`sessions/${id}/events`, stop.signal)) {
      put(s);
      if (isOver(s) && s.state === 'FAILED') tell(t('sessionFailed', s.device, s.reason || ''), true);
    }
  } catch (e) {
    if (!aborted(e) && !(e instanceof Problem)) tellError(e);
  } finally {
    watched.delete(id);
  }
}

/** known is done when the sessions were asked for once: until then nobody can say which captures grow. */
let tellKnown: () => void;
export const known = new Promise<void>(done => (tellKnown = done));

export async function listSessions(): Promise<void> {
  try {
    sessions.value = (await get<{ captures: Session[] }>('sessions?limit=100')).captures;
    unavailable.value = '';
    for (const s of running.peek()) void watch(s.id);
  } catch (e) {
    unavailable.value = (e as Error).message;
  }
  tellKnown();
}

export async function start(device: string, wanted: Wanted): Promise<Session> {
  const s = (await change<Session>('POST', `devices/${encodeURIComponent(device)}/captures`, wanted))!;
  put(s);
  void watch(s.id);
  return s;
}
export const stop = (s: Session): Promise<void> =>
  change<Session>('POST', `sessions/${s.id}/stop`).then(x => { if (x) put(x); }, tellError);

/** address makes a download address that works once, without a token. */
export async function address(s: Session): Promise<void> {
  try {
    const got = await change<{ url: string; seconds: number }>('POST', `sessions/${s.id}/address`, { seconds: 3600 });
    await navigator.clipboard.writeText(new URL(got!.url, location.href).href);
    tell(t('addressCopied'));
  } catch (e) {
    tellError(e);
  }
}
