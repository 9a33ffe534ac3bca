// SPDX-License-Identifier: Apache-2.0
// The first look at a capture: who talks with whom, how it went, and when.
import { at } from '../api';
import { num } from '../format';
import { t } from '../i18n';
import { capture, filter, go } from '../route';
import { Empty, Got } from '../parts/say';
import { Table } from '../parts/table';
import { useData } from '../use';
import type { Tables } from '../types';

export function Connections() {
  const from = useData<Tables>(at(capture.value, 'stats/conversations/tcp', { filter: filter.value }));
  return (
    <div class="page">
      <Got from={from}>{got => got.tables[0]?.rows.length
        ? <><p class="note">{t('connectionsN', num(got.tables[0].rows.length))}</p>
            <Table lines={got.tables[0].rows} label={t('connections')} filterOf={(k, l) => (k === 'stream' ? 'tcp.stream == ' + l.stream : null)}
              onLine={l => go({ view: 'packets', args: [], query: { filter: 'tcp.stream == ' + l.stream } })} /></>
        : <Empty title={t('noConnections')} />}</Got>
    </div>
  );
}
