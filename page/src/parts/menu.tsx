// SPDX-License-Identifier: Apache-2.0
// The context menu: one for the whole page.
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { opened } from '../menu';

function shut(): void {
  const back = opened.value?.back;
  opened.value = null;
  back?.focus();
}

function keys(e: KeyboardEvent, box: HTMLElement): void {
  const all = [...box.querySelectorAll<HTMLElement>('button:not(:disabled)')];
  const now = all.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[e.key];
  if (e.key === 'Escape' || e.key === 'Tab') shut();
  else if (to === undefined) return;
  else all[(to + all.length) % all.length]?.focus();
  e.preventDefault();
  e.stopPropagation();
}

export function Menu() {
  const box = useRef<HTMLDivElement>(null);
  const now = opened.value;
  useLayoutEffect(() => {
    if (!now || !box.current) return;
    const { style, offsetWidth, offsetHeight } = box.current;
    style.left = Math.max(4, Math.min(now.x, innerWidth - offsetWidth - 4)) + 'px';
    style.top = Math.max(4, Math.min(now.y, innerHeight - offsetHeight - 4)) + 'px';
    box.current.querySelector('button')?.focus();
  }, [now]);
  useEffect(() => {
    const away = (e: Event) => { if (opened.peek() && !box.current?.contains(e.target as Node)) opened.value = null; };
    addEventListener('pointerdown', away);
    addEventListener('resize', away);
    return () => { removeEventListener('pointerdown', away); removeEventListener('resize', away); };
  }, []);
  if (!now) return null;
  return (
    <div class="menu" role="menu" ref={box} aria-label={now.title || 'menu'} onKeyDown={e => keys(e, box.current!)} onContextMenu={e => e.preventDefault()}>
      {now.title && <p class="menu-title" role="presentation">{now.title}</p>}
      {now.choices.map((c, i) => c
        ? <button key={i} type="button" role="menuitem" disabled={c.off} onClick={() => { shut(); c.act(); }}>
            {c.label}{c.hint && <span class="hint mono">{c.hint}</span>}
          </button>
        : <hr key={i} />)}
    </div>
  );
}
