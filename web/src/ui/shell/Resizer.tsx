import { change, settings } from '../../state/settings';
import { text } from '../../strings/en';

const LEAST = 220;
const MOST = 360;
const STEP = 10;

const set = (px: number): void => change({ sidebar: Math.min(MOST, Math.max(LEAST, px)) });

/** The edge between list and conversation: by pointer or by arrow keys. */
export function Resizer() {
  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be focused and moved
    <div
      class="resizer"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={text.resizeSidebar}
      aria-valuenow={settings().sidebar}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) set(event.clientX);
      }}
      onKeyDown={(event) => {
        if (event.key === 'ArrowLeft') set(settings().sidebar - STEP);
        if (event.key === 'ArrowRight') set(settings().sidebar + STEP);
      }}
    />
  );
}
