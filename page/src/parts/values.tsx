// SPDX-License-Identifier: Apache-2.0
// One topic's values: the plot where they are numbers, and every message.
import { useMemo } from 'preact/hooks';
import { at } from '../api';
import { num, size, span } from '../format';
import { t } from '../i18n';
import { capture, filter, go, showFrame } from '../route';
import { useData } from '../use';
import { Plot } from './plot';
import { Empty, Got } from './say';
import { Table, type Line } from './table';
import type { Mqtt, Sample, Topic } from '../types';

const literal = (text: string) => '"' + text.replace(/[\\"]/g, '\\$&') + '"';
const valueOf = (s: Sample) => (s.text !== undefined ? s.text : s.hex ? '0x' + s.hex : '') + (s.cut ? '…' : '');

function All({ x }: { x: Topic }) {
  const made = useMemo(() => {
    const numbers = x.history.filter(s => s.value !== undefined);
    return {
      at: numbers, x: numbers.map(s => s.time), curves: [{ label: t('value'), values: numbers.map(s => s.value!) }],
      lines: x.history.map((s): Line => ({ time: s.time, frame: s.frame, value: valueOf(s), size: s.size, qos: s.qos, retain: s.retain, by: s.by })),
    };
  }, [x]);
  const last = x.last;
  return (
    <>
      <header class="topic-head">
        <h2>{x.topic || '∅'}</h2>
        <p class="quiet">{t('publishedN', num(x.published), num(x.delivered), size(x.bytes))}{x.retained > 0 && <> · {t('retainedN', num(x.retained))}</>}</p>
        {last && <pre class="topic-last" tabIndex={0}>{valueOf(last) || t('emptyValue')}</pre>}
        <p class="topic-acts"><button type="button" onClick={() => go({ view: 'packets', args: [], query: { filter: `mqtt.topic == ${literal(x.topic)}` } })}>{t('itsPackets')}</button>
          {last && <button type="button" onClick={() => showFrame(last.frame)}>{t('lastPacket')}</button>}</p>
      </header>
      {made.x.length > 1 && <Plot x={made.x} curves={made.curves} label={t('valuesOver')} onPoint={i => showFrame(made.at[i].frame)} />}
      <h3>{x.step > 1 ? t('oneOf', num(x.step)) : t('messages')}</h3>
      <Table lines={made.lines} label={t('messages')} onLine={l => showFrame(Number(l.frame))} fill
        draw={(k, l) => (k === 'time' ? span(Number(l.time)) : k === 'retain' ? (l.retain ? '●' : '') : k === 'by' ? (l.by === 'client' ? t('byClient') : t('byBroker')) : undefined)} />
    </>
  );
}

export function Values({ topic }: { topic: string }) {
  const from = useData<Mqtt>(at(capture.value, 'mqtt', { filter: filter.value, topic, history: 5000 }));
  return <Got from={from}>{got => got.topics[0] ? <All x={got.topics[0]} /> : <Empty title={t('noTopics')} />}</Got>;
}
