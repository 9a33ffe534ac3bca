// SPDX-License-Identifier: Apache-2.0
// MQTT: the tree of topics that the packets make, a topic's values over time, clients and what they are.
import { useMemo, useRef, useState } from 'preact/hooks';
import { at } from '../api';
import { num } from '../format';
import { t, tOr, type Word } from '../i18n';
import { filterChoices, openMenu } from '../menu';
import { capture, filter, go, route } from '../route';
import { Empty, Got } from '../parts/say';
import { Table } from '../parts/table';
import { Values } from '../parts/values';
import { useData, useVirtual } from '../use';
import type { Mqtt as All, Topic } from '../types';

interface Node { name: string; path: string; depth: number; topic?: Topic; published: number; delivered: number; kids: Map<string, Node> }

/** treeOf makes the tree; a topic may have both a value and topics below it. */
function treeOf(topics: Topic[]): Node {
  const root: Node = { name: '', path: '', depth: -1, published: 0, delivered: 0, kids: new Map() };
  for (const topic of topics) {
    let at = root;
    topic.topic.split('/').forEach((name, depth, parts) => {
      let kid = at.kids.get(name);
      if (!kid) at.kids.set(name, (kid = { name, path: parts.slice(0, depth + 1).join('/'), depth, published: 0, delivered: 0, kids: new Map() }));
      kid.published += topic.published;
      kid.delivered += topic.delivered;
      at = kid;
    });
    at.topic = topic;
  }
  return root;
}
const OPEN_UP_TO = 200; // topics: more begin folded below the second level

function linesOf(root: Node, turned: Set<string>, many: boolean): Node[] {
  const out: Node[] = [];
  const walk = (n: Node) => {
    for (const kid of n.kids.values()) {
      out.push(kid);
      if (isOpen(kid, turned, many)) walk(kid);
    }
  };
  walk(root);
  return out;
}
const isOpen = (n: Node, turned: Set<string>, many: boolean) => (n.depth < 1 || !many) !== turned.has(n.path);

const literal = (text: string) => '"' + text.replace(/[\\"]/g, '\\$&') + '"';
const lastText = (x?: Topic) => x?.last?.text ?? (x?.last?.hex ? '0x' + x.last.hex : '');

function Tree({ got, picked }: { got: All; picked: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [turned, set] = useState(new Set<string>());
  const many = got.topics.length > OPEN_UP_TO;
  const root = useMemo(() => treeOf(got.topics), [got]);
  const lines = useMemo(() => linesOf(root, turned, many), [root, turned]);
  const virtual = useVirtual(lines.length, () => 28, box);
  const turn = (n: Node) => { const next = new Set(turned); if (!next.delete(n.path)) next.add(n.path); set(next); };
  const pick = (n: Node) => (n.topic ? go({ args: ['topic', n.path] }) : turn(n));
  const at = lines.findIndex(n => n.topic && n.path === picked);
  const keys = (e: KeyboardEvent) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[e.key];
    if (to === undefined) return;
    const step = to > at ? 1 : -1;
    for (let i = to; i >= 0 && i < lines.length; i += step) if (lines[i].topic) { pick(lines[i]); virtual.scrollToIndex(i); break; }
    e.preventDefault();
  };
  return (
    <div class="topics" ref={box} tabIndex={0} role="tree" aria-label={t('topics')} onKeyDown={keys}>
      <div class="virtual" role="presentation" style={{ height: virtual.getTotalSize() + 'px' }}>
        {virtual.getVirtualItems().map(v => {
          const n = lines[v.index], kids = n.kids.size > 0, open = kids && isOpen(n, turned, many);
          return (
            <div key={n.path} role="treeitem" aria-level={n.depth + 1} aria-expanded={kids ? open : undefined} aria-selected={n.path === picked && !!n.topic} class={'topic' + (n.topic && n.path === picked ? ' picked' : '')}
              style={{ transform: `translateY(${v.start}px)`, paddingLeft: 8 + n.depth * 16 + 'px' }} onClick={() => pick(n)}
              onContextMenu={e => openMenu(e, filterChoices(n.topic ? `mqtt.topic == ${literal(n.path)}` : `mqtt.topic matches ${literal('^' + n.path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') + '/')}`), n.path)}>
              <span class="twist" aria-hidden="true" onClick={e => { e.stopPropagation(); turn(n); }}>{kids ? (open ? '▾' : '▸') : ''}</span>
              <span class="topic-name">{n.name || '∅'}</span><span class="topic-value mono">{lastText(n.topic)}</span><span class="quiet n">{num(n.published)}</span><span class="quiet n">{num(n.delivered)}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Topics({ got, picked }: { got: All; picked: string }) {
  const [word, look] = useState('');
  if (!got.topics.length) return <Empty title={t('noTopics')} />;
  const shown = word ? { ...got, topics: got.topics.filter(x => x.topic.toLowerCase().includes(word.toLowerCase())) } : got;
  return (
    <div class={'topic-view' + (picked ? ' has-topic' : '')}>
      <div class="topic-side">
        <input type="search" value={word} placeholder={t('searchTopics')} aria-label={t('searchTopics')} onInput={e => look(e.currentTarget.value)} />
        <div class="topic-heads quiet"><span>{t('th_published')}</span><span>{t('th_delivered')}</span></div>
        <Tree key={word} got={shown} picked={picked} />
        {got.left_out > 0 && <p class="aside">{t('leftOut', num(got.left_out))}</p>}
      </div>
      <div class="topic-main">{picked ? <Values key={picked} topic={picked} /> : <Empty title={t('pickTopic')} />}</div>
    </div>
  );
}

function Clients({ got }: { got: All }) {
  const lines = got.clients || [];
  if (!lines.length) return <Empty title={t('noClients')} />;
  const columns = ['client', 'role', 'address', 'version', 'user', 'keep_alive', 'connects', 'refused', 'published', 'delivered', 'bytes', 'topics_published', 'filters', 'packets_by_type'];
  return <Table lines={lines} columns={columns} label={t('clients')}
    draw={(k, l) => (k === 'role' ? <span class={'role-badge ' + String(l.role).replaceAll(' ', '-')}>{tOr('role_' + String(l.role).replaceAll(' ', '_'), String(l.role))}</span> : k === 'keep_alive' ? l.keep_alive + ' s' : undefined)}
    filterOf={(k, l) => (k === 'client' && l.client ? `mqtt.clientid == ${literal(String(l.client))}` : k === 'address' && l.address ? `${String(l.address).includes(':') ? 'ipv6' : 'ip'}.addr == ${l.address}` : null)} />;
}

function Filters({ got }: { got: All }) {
  return got.filters?.length ? <Table lines={got.filters} label={t('topicFilters')} filterOf={(k, l) => (k === 'filter' ? `mqtt.topic == ${literal(String(l.filter))} && mqtt.msgtype == 8` : null)} /> : <Empty title={t('noFilters')} />;
}

const SIDES: [string, Word][] = [['topic', 'topics'], ['clients', 'clients'], ['filters', 'topicFilters']];
export function Mqtt() {
  const from = useData<All>(at(capture.value, 'mqtt', { filter: filter.value, history: 1, limit: 20000 }));
  const side = route.value.args[0] || 'topic';
  return (
    <div class="mqtt">
      <div class="bar"><div class="segments" role="group" aria-label="MQTT">
        {SIDES.map(([id, word]) => <button key={id} type="button" aria-pressed={side === id} onClick={() => go({ args: [id] })}>{t(word)}{from.data && <span class="quiet"> {num(id === 'topic' ? from.data.all : (id === 'clients' ? from.data.clients : from.data.filters)?.length || 0)}</span>}</button>)}
      </div></div>
      <Got from={from}>{got => side === 'topic' ? <Topics got={got} picked={route.value.args.slice(1).join('/')} /> : <div class="page">{side === 'clients' ? <Clients got={got} /> : <Filters got={got} />}</div>}</Got>
    </div>
  );
}
