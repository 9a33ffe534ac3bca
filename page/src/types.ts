// SPDX-License-Identifier: Apache-2.0
// What the server answers, as far as the page looks at it.

export interface Capture {
  name: string;
  size: number;
  modified: string;
  fixed: boolean;
  complete?: boolean;
}

export interface Row {
  no: number;
  time: string;
  source: string;
  destination: string;
  protocol: string;
  length: number;
  info: string;
  malformed?: boolean;
  cut?: boolean;
  severity?: string;
  colour?: string;
  transport?: string;
  stream?: number | string;
  columns?: string[];
}

export interface Frames {
  frames: Row[];
  matched: number;
  read: number;
  complete: boolean;
  damaged?: string;
}

export interface Field {
  name: string;
  label: string;
  depth: number;
  source: number;
  offset: number;
  length: number;
  severity?: string;
  filter?: string;
}

export interface Source {
  name: string;
  length: number;
  hex: string;
}

export interface Frame {
  no: number;
  length: number;
  captured: number;
  protocol: string;
  info: string;
  tree: Field[];
  sources: Source[];
}

export type Cell = string | number | boolean | null | unknown[];
export interface Table {
  name: string;
  title: string;
  rows: Record<string, Cell>[];
  note: string;
}
export interface Tables {
  tables: Table[];
  packets: number;
  damaged?: string;
}

export interface Finding {
  id: string;
  stage: string;
  severity: string;
  side?: string;
  confidence?: string;
  frames: number[];
  text: string;
  next?: string;
  'tcp.stream'?: number;
}
export interface Explained {
  verdict?: Finding;
  fine: boolean;
  packets: number;
  conversations: number;
  errors: number;
  warnings: number;
  notes: number;
  roles?: { role: string; address: string; client_id?: string; topic?: string }[];
  findings: Finding[];
}

export interface Piece {
  side?: number;
  frame: number;
  text?: string;
  hex?: string;
  time?: number;
  from?: string;
  type?: string;
  [more: string]: unknown;
}
export interface Followed {
  pieces: Piece[];
  ends: { address: string; port: number }[];
  complete?: boolean;
}

export interface FilterCheck {
  valid: boolean;
  warnings?: string[];
  offset?: number;
  length?: number;
  message?: string;
  suggestions?: string[];
}

export interface End {
  address: string;
  port: number;
}
export interface Connection {
  stream: number;
  transport: 'tcp' | 'udp';
  protocol: string;
  client: End;
  server: End;
  name: string;
  packets: number[];
  bytes: number[];
  payload: number[];
  start: number;
  duration: number;
  first_frame: number;
  flags?: string[][];
  state?: string;
  initial_rtt?: number;
  rtt?: number;
  rtt_max?: number;
  retransmissions?: number;
  out_of_order?: number;
  lost?: number;
  duplicate_acks?: number;
  zero_windows?: number;
  filter: string;
  histogram: number[];
}
export interface Connections {
  connections: Connection[];
  all: number;
  left_out: number;
  bin_seconds: number;
  duration: number;
}

export interface Sample {
  time: number;
  frame: number;
  stream: number;
  size: number;
  qos: number;
  retain: boolean;
  dup: boolean;
  by: 'client' | 'broker';
  value?: number;
  text?: string;
  hex?: string;
  cut?: boolean;
}
export interface Topic {
  topic: string;
  published: number;
  delivered: number;
  bytes: number;
  retained: number;
  step: number;
  last?: Sample;
  history: Sample[];
}
interface MqttClient {
  client: string;
  role: string;
  published: number;
  delivered: number;
  topics_published: string[];
  filters: string[];
  [more: string]: Cell;
}
export interface Mqtt {
  clients?: MqttClient[];
  filters?: { filter: string; subscribers: number; qos: number }[];
  topics: Topic[];
  all: number;
  left_out: number;
}

export interface Bar {
  kind: string;
  start: number;
  end: number;
  frame: number;
  end_frame: number;
  type?: string;
  from?: string;
  qos?: number;
  text?: string;
  state: 'done' | 'open' | 'failed';
  code?: number;
}
export interface Fall {
  stream: number;
  client: End;
  server: End;
  client_id?: string;
  mqtt: boolean;
  start: number;
  end: number;
  bars: Bar[];
  left_out: number;
}
export interface Waterfall {
  connections: Fall[];
  all: number;
  left_out: number;
}

export interface Party {
  address: string;
  port?: number;
  role: string;
  server: boolean;
  client_id?: string;
  arrows: number;
}
export interface Arrow {
  frame: number;
  time: number;
  from: number;
  to: number;
  kind: string;
  mood: 'plain' | 'again' | 'bad';
  transport?: string;
  stream?: number | string;
  columns?: string[];
  text: string;
}
export interface Ladder {
  parties: Party[];
  arrows: Arrow[];
  all: number;
  left_out: number;
}

export interface Deed {
  frame: number;
  time: number;
  side: 'client' | 'server';
  kind: string;
  times: number;
  trouble: boolean;
  text: string;
}
export interface DiffRow {
  what: 'same' | 'value' | 'missing' | 'extra' | 'allowed';
  good: Deed | null;
  bad: Deed | null;
  detail?: string;
}
export interface DiffEnd {
  dns: boolean;
  stream: number;
  client: string;
  client_port: number;
  server: string;
  server_port: number;
  client_id?: string;
  left_out: number;
}
export interface Diff {
  same: boolean;
  good: string;
  bad: string;
  text?: string;
  first?: DiffRow;
  explain?: { id: string; text: string };
  conversations: { differs: boolean; missing: number; extra: number; values: number; good: DiffEnd | null; bad: DiffEnd | null; rows: DiffRow[] }[];
}

export interface Completion {
  from: number;
  to: number;
  items: { kind: string; text: string; label?: string; type?: string }[];
}
