// SPDX-License-Identifier: Apache-2.0
// The views there are, in the order of their tabs. A new view: its file here, its line, its word.
import type { ComponentType } from 'preact';
import type { Word } from '../i18n';
import { Packets } from './packets';
import { Findings } from './findings';
import { Stats } from './stats';
import { Follow } from './follow';
import { Connections } from './connections';

export interface View {
  id: string;
  word: Word;
  show: ComponentType;
  hidden?: boolean; // a tab only while it is shown
}
export const captureViews: View[] = [
  { id: 'connections', word: 'connections', show: Connections },
  { id: 'packets', word: 'packets', show: Packets },
  { id: 'findings', word: 'findings', show: Findings },
  { id: 'stats', word: 'stats', show: Stats },
  { id: 'follow', word: 'follow', show: Follow },
];
export const pageViews: View[] = [];
