// SPDX-License-Identifier: Apache-2.0
// The keyboard, as in Wireshark where the browser leaves the keys to us.
import { asked, mark, step, stream, streamFilter, toMark, find } from './frame';
import type { Word } from './i18n';
import { capture, go, view } from './route';
import { dialog } from './parts/dialog';
import { findAgain } from './parts/find';

export const keyList: [string, Word][] = [
  ['/ / Ctrl /', 'k_filter'], ['Ctrl ↓ / F8', 'k_next'], ['Ctrl ↑ / F7', 'k_prev'], ['Ctrl .', 'k_convNext'], ['Ctrl ,', 'k_convPrev'],
  ['Ctrl G', 'goToPacket'], ['Ctrl F', 'findPacket'], ['n / F3', 'k_findNext'], ['p / Shift F3', 'k_findPrev'], ['Ctrl M', 'markPacket'],
  ['Ctrl Shift →', 'k_nextMark'], ['Ctrl Shift ←', 'k_prevMark'], ['Ctrl Alt Shift T', 'follow'], ['Ctrl Home / Ctrl End', 'k_ends'], ['?', 'keysHelp'],
];

const inText = (e: KeyboardEvent) => (e.target as HTMLElement).matches?.('input, select, textarea');
const inConversation = (back: boolean) => { const s = stream.peek(); if (s) void find(streamFilter(s), back); };
const followNow = () => { const s = stream.peek(); if (s) go({ view: 'follow', args: [s.mqtt ? 'mqtt' : s.protocol, String(s.number)], query: {} }); };
const focusFilter = () => { const f = document.getElementById('filter') as HTMLInputElement | null; f?.focus(); f?.select(); };

/** act does what a key says; false where it says nothing. */
function act(e: KeyboardEvent): boolean {
  const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
  const ctrl = e.ctrlKey || e.metaKey, name = `${ctrl ? 'C-' : ''}${e.altKey ? 'A-' : ''}${e.shiftKey && e.key.length > 1 ? 'S-' : ''}${key}`;
  const no = asked();
  switch (name) {
    case 'C-/': focusFilter(); return true;
    case 'C-ArrowDown': case 'F8': void step(1); return true;
    case 'C-ArrowUp': case 'F7': void step(-1); return true;
    case 'C-.': inConversation(false); return true;
    case 'C-,': inConversation(true); return true;
    case 'C-g': dialog.value = 'goto'; return true;
    case 'C-f': dialog.value = 'find'; return true;
    case 'F3': void findAgain(false); return true;
    case 'S-F3': void findAgain(true); return true;
    case 'C-m': if (no) mark(no); return !!no;
    case 'C-A-t': followNow(); return true;
    case 'C-S-ArrowRight': toMark(false); return true;
    case 'C-S-ArrowLeft': toMark(true); return true;
  }
  if (ctrl || e.altKey || inText(e)) return false;
  if (key === '/') focusFilter();
  else if (key === '?') dialog.value = 'help';
  else if (key === 'n' && view.peek() === 'packets') void findAgain(false);
  else if (key === 'p' && view.peek() === 'packets') void findAgain(true);
  else return false;
  return true;
}

export function installKeys(): void {
  addEventListener('keydown', e => {
    if (!capture.peek() || dialog.peek() || e.defaultPrevented) return;
    if (inText(e) && !/^F\d|[/gfm]$/.test(e.key)) return;
    if (act(e)) e.preventDefault();
  });
}
