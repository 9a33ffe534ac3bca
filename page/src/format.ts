// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes and times as people read them, in their language.
import { lang } from './i18n';

export const num = (n: number): string => n.toLocaleString(lang.value);

/** size gives bytes with a unit of 1000: 500 MB. */
export function size(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 999.5 && i < 4; i++) n /= 1000;
  return (i && n < 99.95 ? n.toFixed(1) : Math.round(n).toString()) + ' ' + units[i];
}

/** span gives seconds as ns, µs, ms, s, min or h. */
export function span(s: number): string {
  const a = Math.abs(s);
  if (!a) return '0 s';
  if (a < 1e-6) return (s * 1e9).toFixed(0) + ' ns';
  if (a < 1e-3) return (s * 1e6).toFixed(a < 1e-5 ? 1 : 0) + ' µs';
  if (a < 1) return (s * 1e3).toFixed(a < 0.01 ? 2 : a < 0.1 ? 1 : 0) + ' ms';
  if (a < 120) return s.toFixed(a < 10 ? 2 : 1) + ' s';
  if (a < 7200) return (s / 60).toFixed(1) + ' min';
  return (s / 3600).toFixed(1) + ' h';
}

/** moment gives a date and time as this person's country writes it. */
export const moment = (iso: string): string =>
  new Date(iso).toLocaleString(lang.value, { dateStyle: 'medium', timeStyle: 'short' });
