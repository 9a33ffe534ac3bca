// SPDX-License-Identifier: Apache-2.0
// Asking the server. Everything the page knows it knows from here: /v1, described by /v1/openapi.json.

interface ProblemBody {
  detail?: string;
  title?: string;
  status?: number;
  parameter?: string;
  offset?: number;
  length?: number;
  message?: string;
  suggestions?: string[];
}

/** Problem is an answer that says no: RFC 9457, or a connection that failed (status 0). */
export class Problem extends Error {
  constructor(readonly body: ProblemBody, readonly status: number) {
    super(body.detail || body.title || 'the server answers ' + status);
  }
}

type Values = Record<string, string | number | boolean | undefined | null>;

/** query writes the values that are there: ?a=1&b=2, or nothing. */
export function query(values: Values = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(values)) if (v !== '' && v != null && v !== false) q.set(k, v === true ? '1' : String(v));
  const text = q.toString();
  return text ? '?' + text : '';
}

/** at is the address of a capture, or of something in it. */
export const at = (capture: string, rest = '', values: Values = {}): string =>
  'captures/' + encodeURIComponent(capture) + (rest ? '/' + rest : '') + query(values);

const TOKEN = 'weir.token';
/** takeToken moves a token from the address, where it came, to this tab's memory. */
function takeToken(): void {
  const m = /(?:^#|[&?])token=([^&]+)/.exec(location.hash);
  if (!m) return;
  sessionStorage.setItem(TOKEN, m[1]);
  history.replaceState(null, '', location.pathname + '#/');
}
takeToken();
export const token = (): string => sessionStorage.getItem(TOKEN) || '';
export const setToken = (text: string): void => sessionStorage.setItem(TOKEN, text);

interface Ask {
  method?: string;
  body?: BodyInit;
  signal?: AbortSignal;
}

const pause = (ms: number) => new Promise(done => setTimeout(done, ms));
const TRIES_WHEN_BUSY = 20;

/** send asks and gives the answer as it comes; it waits while the server serves others, and throws a Problem. */
export async function send(path: string, ask: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = {};
  if (token()) headers.Authorization = 'Bearer ' + token();
  if (typeof ask.body === 'string') headers['Content-Type'] = 'application/json';
  for (let tries = 0; ; tries++) {
    const r = await fetch('/v1/' + path, { ...ask, headers }).catch(e => {
      throw e.name === 'AbortError' ? e : new Problem({ detail: 'the server does not answer' }, 0);
    });
    if (r.ok) return r;
    if (r.status === 503 && tries < TRIES_WHEN_BUSY) {
      await pause(300);
      continue;
    }
    throw new Problem(await r.json().catch(() => ({})), r.status);
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send(path, { signal })).json();
}

/** change asks for something to be done; the body is sent as JSON unless it is a file. */
export async function change<T>(method: string, path: string, body?: unknown): Promise<T | null> {
  const text = body === undefined ? undefined : body instanceof Blob ? body : JSON.stringify(body);
  const r = await send(path, { method, body: text });
  return r.status === 204 ? null : r.json().catch(() => null);
}

/** lines reads an answer of one JSON value a line and gives each as it arrives. */
export async function* lines<T>(path: string, signal?: AbortSignal): AsyncGenerator<T> {
  const r = await send(path, { signal });
  const reader = r.body!.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop() || '';
    for (const p of parts) if (p.trim()) yield JSON.parse(p) as T;
    if (done) break;
  }
  if (rest.trim()) yield JSON.parse(rest) as T;
}

export const aborted = (e: unknown): boolean => e instanceof Error && e.name === 'AbortError';

/** save hands a file of the server to the person. */
export async function save(path: string, name: string): Promise<void> {
  const blob = await (await send(path)).blob();
  const a = document.createElement('a');
  a.href = URL.createObjectURL(blob);
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}
