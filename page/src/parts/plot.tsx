// SPDX-License-Identifier: Apache-2.0
// A plot over time; drag to zoom, double click to see all again.
import uPlot from 'uplot';
import { useEffect, useRef } from 'preact/hooks';
import { isDark } from '../settings';
import { useWidth } from '../use';

/** A curve; bars reach from their point to the next, or as far as the number says. */
interface Curve { label: string; values: (number | null)[]; bars?: number; own?: boolean; show?: (v: number) => string }

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(curves: Curve[], wide: number, high: number, time: boolean, on?: (x: number) => void): uPlot.Options {
  const text = colour('--quiet'), grid = { stroke: colour('--line'), width: 1 };
  const show = (c: Curve) => (_: uPlot, v: number | null) => (v == null ? '' : c.show ? c.show(v) : String(v));
  const axis = (c: Curve, i: number): uPlot.Axis => ({
    scale: c.own ? 'y' + i : 'y', side: i ? 1 : 3, stroke: text, grid: i ? { show: false } : grid, ticks: grid, size: 64,
    values: (_, all) => all.map(v => (c.show ? c.show(v) : String(v))),
  });
  const axes: uPlot.Axis[] = [{ stroke: text, grid, ticks: grid, ...(time ? {} : { values: (_: uPlot, all: number[]) => all.map(v => v + ' s') }) }, ...curves.filter((c, i) => !i || c.own).map(axis)];
  return {
    width: wide, height: high, axes, scales: { x: { time, ...(curves[0].bars ? { range: (_: uPlot, from: number, to: number): [number, number] => [from, to + curves[0].bars!] } : {}) }, ...Object.fromEntries(curves.map((c, i) => [c.own ? 'y' + i : 'y', c.bars || c.own ? { range: (_: uPlot, __: number, most: number): [number, number] => [0, (most || 1) * 1.05] } : {}])) }, cursor: { drag: { x: true, y: false } },
    series: [{ label: time ? '' : 't', value: (_, v) => (v == null ? '' : time ? new Date(v * 1000).toISOString().slice(11, 23) : v.toFixed(3) + ' s') }, ...curves.map((c, i) => ({
      label: c.label, scale: c.own ? 'y' + i : 'y', stroke: colour(i ? '--curve2' : '--curve1'), width: 1.5, value: show(c),
      ...(c.bars ? { fill: colour('--curve1-soft'), paths: uPlot.paths.bars!({ size: [0.9, 60], align: 1 }), points: { show: false } } : {}),
    }))],
    hooks: on ? { ready: [u => u.over.addEventListener('click', () => u.cursor.idx != null && !u.select.width && on(u.cursor.idx))] } : {},
  };
}

export function Plot({ x, curves, high = 220, time = false, label, onPoint }: { x: number[]; curves: Curve[]; high?: number; time?: boolean; label: string; onPoint?: (i: number) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const wide = useWidth(box), dark = isDark();
  useEffect(() => {
    if (!wide) return;
    const plot = new uPlot(options(curves, wide, high, time, onPoint), [x, ...curves.map(c => c.values)], box.current!);
    return () => plot.destroy();
  }, [x, curves, wide, dark, high]);
  return <div class="plot" ref={box} role="img" aria-label={label} />;
}
