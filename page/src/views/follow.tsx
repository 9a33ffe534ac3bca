// SPDX-License-Identifier: Apache-2.0
// One conversation, from its first byte to its last, as text, bytes or MQTT packets.
import { useRef, useState } from 'preact/hooks';
import { at } from '../api';
import { num, size, span } from '../format';
import { stream } from '../frame';
import { t } from '../i18n';
import { capture, go, route } from '../route';
import { FrameLink } from '../parts/frames';
import { Empty, Got } from '../parts/say';
import { headText } from '../parts/table';
import { useData, useVirtual } from '../use';
import type { Followed, Piece } from '../types';

type Form = 'text' | 'hex';
const PER = 16;

/** printable shows control characters as dots, and keeps the ends of lines. */
const printable = (text: string) => text.replace(/[^\P{C}\n\t]/gu, '·');
function dump(hex: string): string {
  let out = '';
  for (let i = 0; i < hex.length; i += 2 * PER) {
    const part = hex.slice(i, i + 2 * PER);
    const text = part.replace(/../g, two => { const v = parseInt(two, 16); return v > 31 && v < 127 ? String.fromCharCode(v) : '·'; });
    out += `${(i / 2).toString(16).padStart(6, '0')}  ${part.replace(/../g, '$& ').padEnd(3 * PER)} ${text}\n`;
  }
  return out;
}

const known = ['time', 'frame', 'from', 'type', 'size', 'acks', 'complete', 'payload', 'topic'];
function MqttPiece({ p }: { p: Piece }) {
  const rest = Object.entries(p).filter(([k, v]) => !known.includes(k) && v !== false && v !== null && typeof v !== 'object').map(([k, v]) => `${headText(k)} ${v}`).join(' · ');
  const acks = Array.isArray(p.acks) ? (p.acks as { type: string; frame: number; after: number }[]) : [];
  return (
    <>
      <p class="piece-head"><b>{String(p.type)}</b> {p.topic !== undefined && <code>{String(p.topic)}</code>} <span class="quiet">{rest}</span></p>
      {p.payload !== undefined && <pre>{printable(String(p.payload))}</pre>}
      {acks.map(a => <p key={a.frame} class="quiet">↳ {a.type} <FrameLink no={a.frame} /> {t('after', span(a.after))}</p>)}
    </>
  );
}

function Pieces({ got, form }: { got: Followed; form: Form }) {
  const box = useRef<HTMLDivElement>(null);
  const guess = (i: number) => {
    const p = got.pieces[i];
    if (p.hex === undefined) return 52;
    return 34 + 18 * (form === 'hex' ? Math.ceil(p.hex.length / 2 / PER) : Math.min(400, (p.text || '').split('\n').length + Math.floor((p.text || '').length / 110)));
  };
  const virtual = useVirtual(got.pieces.length, guess, box, 6);
  return (
    <div class="pieces mono" ref={box} tabIndex={0} role="region" aria-label={t('follow')}>
      <div class="virtual" style={{ height: virtual.getTotalSize() + 'px' }}>
        {virtual.getVirtualItems().map(v => {
          const p = got.pieces[v.index], side = p.side ?? (p.from === 'client' ? 0 : 1);
          return (
            <div key={v.index} data-index={v.index} ref={e => { if (e) virtual.measureElement(e); }} class={'piece side' + side} style={{ transform: `translateY(${v.start}px)` }}>
              <p class="piece-no"><FrameLink no={p.frame} /> <span class="quiet">{side ? '←' : '→'} {p.time !== undefined && span(p.time)} {p.hex !== undefined && size(p.hex.length / 2)}</span></p>
              {p.hex === undefined ? <MqttPiece p={p} /> : <pre>{form === 'hex' ? dump(p.hex) : printable(p.text || '')}</pre>}
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function Follow() {
  const [form, choose] = useState<Form>('text');
  const [kind, number] = route.value.args.length === 2 ? route.value.args : stream.value ? [stream.value.mqtt ? 'mqtt' : stream.value.protocol, String(stream.value.number)] : ['', ''];
  const from = useData<Followed>(kind ? at(capture.value, `follow/${encodeURIComponent(kind)}/${encodeURIComponent(number)}`) : null);
  if (!kind) return <Empty title={t('followNone')}>{t('followHow')}</Empty>;
  const to = (k: string, n: string) => go({ view: 'follow', args: [k, n], query: {} });
  const lower = kind === 'mqtt' ? 'tcp' : kind;
  return (
    <div class="follow">
      <div class="bar">
        <label>{t('conversation')} <input type="number" min={0} value={number} onChange={e => to(kind, e.currentTarget.value || '0')} /></label>
        <div class="segments" role="group" aria-label={t('shownAs')}>
          {lower === 'tcp' && <button type="button" aria-pressed={kind === 'mqtt'} onClick={() => to('mqtt', number)}>MQTT</button>}
          <button type="button" aria-pressed={kind !== 'mqtt' && form === 'text'} onClick={() => { choose('text'); to(lower, number); }}>{t('text')}</button>
          <button type="button" aria-pressed={kind !== 'mqtt' && form === 'hex'} onClick={() => { choose('hex'); to(lower, number); }}>{t('hex')}</button>
        </div>
        {from.data && <span class="ends">{from.data.ends.map((e, i) => <span key={i} class={'end side' + i}>{e.address}:{e.port}</span>)}</span>}
        <button type="button" onClick={() => go({ view: 'packets', args: [], query: { filter: `${lower}.stream == ${number}` } })}>{t('itsPackets')}</button>
      </div>
      <Got from={from}>{got => got.pieces.length ? <Pieces key={kind + number + form} got={got} form={form} /> : <Empty title={t('followEmpty')} />}</Got>
      {from.data?.complete === false && <p class="aside">{t('followCut', num(from.data.pieces.length))}</p>}
    </div>
  );
}
