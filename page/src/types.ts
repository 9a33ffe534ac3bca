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
  stream?: string;
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
export interface FieldName {
  name: string;
  label: string;
  type: string;
}
