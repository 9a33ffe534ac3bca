// SPDX-License-Identifier: Apache-2.0
// The captures of the server: listing, bringing one, deleting.
import { signal } from '@preact/signals';
import { at, change, get, query } from './api';
import { t } from './i18n';
import { go } from './route';
import { tell, tellError } from './parts/say';
import type { Capture } from './types';

export const captures = signal<Capture[] | null>(null);
export const capturesError = signal<Error | null>(null);
export const bringing = signal(''); // name of the file on its way

export async function list(): Promise<void> {
  try {
    captures.value = (await get<{ captures: Capture[] }>('captures')).captures;
    capturesError.value = null;
  } catch (e) {
    capturesError.value = e as Error;
  }
}

/** open brings files to the server and shows the last of them. */
export async function open(files: Iterable<File>): Promise<void> {
  let last = '';
  for (const file of files) {
    bringing.value = file.name;
    try {
      last = (await change<Capture>('POST', 'captures' + query({ name: file.name }), file))?.name || last;
    } catch (e) {
      tellError(e);
    }
  }
  bringing.value = '';
  await list();
  if (last) go({ capture: last, view: '', args: [], query: {} });
}

export async function remove(name: string): Promise<void> {
  if (!confirm(t('askDelete', name))) return;
  try {
    await change('DELETE', at(name));
    tell(t('deleted', name));
  } catch (e) {
    tellError(e);
  }
  await list();
}
