// SPDX-License-Identifier: Apache-2.0
// The views there are, in the order of their tabs. A new view: its file here, its line, its word.
import type { ComponentType } from 'preact';
import type { Word } from '../i18n';
import { Connections } from './connections';
import { Diff } from './diff';
import { Findings } from './findings';
import { Follow } from './follow';
import { Guard } from './guard';
import { Ladder } from './ladder';
import { Mqtt } from './mqtt';
import { Packets } from './packets';
import { Stats } from './stats';
import { Volume } from './volume';
import { Waterfall } from './waterfall';

interface View {
  id: string;
  word: Word;
  show: ComponentType;
}
export const captureViews: View[] = [
  { id: 'connections', word: 'connections', show: Connections },
  { id: 'packets', word: 'packets', show: Packets },
  { id: 'findings', word: 'findings', show: Findings },
  { id: 'mqtt', word: 'mqtt', show: Mqtt },
  { id: 'waterfall', word: 'waterfall', show: Waterfall },
  { id: 'ladder', word: 'ladder', show: Ladder },
  { id: 'follow', word: 'follow', show: Follow },
  { id: 'stats', word: 'stats', show: Stats },
  { id: 'volume', word: 'volume', show: Volume },
];
export const pageViews: View[] = [
  { id: 'diff', word: 'diff', show: Diff },
  { id: 'guard', word: 'guard', show: Guard },
];
