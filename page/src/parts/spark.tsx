// SPDX-License-Identifier: Apache-2.0
// A small histogram within a line.
const BINS = 60;

export function Spark({ values, label }: { values: number[]; label: string }) {
  const per = Math.max(1, Math.ceil(values.length / BINS)), bins: number[] = [];
  for (let i = 0; i < values.length; i += per) bins.push(values.slice(i, i + per).reduce((a, b) => a + b, 0));
  const most = Math.max(1, ...bins), wide = 120 / Math.max(bins.length, 1);
  const d = bins.map((v, i) => (v ? `M${(i * wide).toFixed(1)} 20v-${Math.max(1, (v / most) * 19).toFixed(1)}h${Math.max(1, wide - 0.6).toFixed(1)}V20z` : '')).join('');
  return <svg class="spark" viewBox="0 0 120 20" width="120" height="20" preserveAspectRatio="none" role="img" aria-label={label}><path d={d} /></svg>;
}
