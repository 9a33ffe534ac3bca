// SPDX-License-Identifier: Apache-2.0
// Columns a person added: the server's rows do not have them, so they are read from the packets in sight.
import { effect, signal } from '@preact/signals';
import { at, get } from './api';
import { capture } from './route';
import { turn } from './rows';
import type { Field, Frame } from './types';

const KEPT = 3000, ASKED_AT_ONCE = 4;
const trees = new Map<number, Field[] | null>(); // null: on its way
const arrived = signal(0);
let asked = 0;
effect(() => { void turn.value; trees.clear(); });

/** fieldText gives what a packet has of a field: its values without the label. */
export function fieldText(no: number, name: string): string {
  void arrived.value; // who shows the answer is drawn again when it came
  const tree = trees.get(no);
  if (tree === undefined && asked < ASKED_AT_ONCE) {
    asked++;
    trees.set(no, null);
    const mine = turn.peek();
    void get<Frame>(at(capture.peek(), 'frames/' + no)).then(f => { if (mine === turn.peek()) trees.set(no, f.tree); }, () => {}).finally(() => { asked--; arrived.value++; });
    if (trees.size > KEPT) trees.delete(trees.keys().next().value!);
  }
  return (tree || []).filter(f => f.name === name).map(f => f.label.replace(/^[^:]*: /, '')).join(', ');
}
