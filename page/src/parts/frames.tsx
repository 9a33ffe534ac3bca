// SPDX-License-Identifier: Apache-2.0
// Links to packets that something is said about.
import { t } from '../i18n';
import { href } from '../route';

const SHOWN = 12;

export const FrameLink = ({ no }: { no: number }) => <a class="frame-link mono" href={href({ view: 'frame', args: [String(no)], query: {} })}>{no}</a>;

export function FrameLinks({ frames }: { frames?: number[] }) {
  if (!frames?.length) return null;
  const filter = `frame.number in {${frames.join(', ')}}`;
  return (
    <p class="frames"><span class="quiet">{t('packets')}</span> {frames.slice(0, SHOWN).map(no => <FrameLink key={no} no={no} />)}
      {frames.length > 1 && <a class="more" href={href({ view: 'packets', args: [], query: { filter } })}>{frames.length > SHOWN ? t('allN', frames.length) : t('showThese')}</a>}
    </p>
  );
}
