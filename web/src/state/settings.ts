import { createSignal } from 'solid-js';
import { local } from '../storage/local';

/** How this browser likes it; all its tabs follow. */
export interface Settings {
  density: 'compact' | 'comfortable';
  size: 'small' | 'normal' | 'large';
  /** What sends a message. */
  send: 'enter' | 'mod';
  sound: boolean;
  /** Desktop notifications, as far as the browser lets us. */
  desktop: boolean;
  /** Pixels. */
  sidebar: number;
}

const DEFAULTS: Settings = {
  density: 'compact',
  size: 'normal',
  send: 'enter',
  sound: false,
  desktop: false,
  sidebar: 272,
};

/** The same key and attributes as the script that runs before the first paint. */
const KEY = 'parley.settings';

const stored = (): Settings => ({ ...DEFAULTS, ...local.json<Partial<Settings>>(KEY) });
const [settings, setSignal] = createSignal(stored());

function show(next: Settings): void {
  setSignal(next);
  const root = document.documentElement;
  root.dataset.density = next.density;
  root.dataset.size = next.size;
}
show(settings());

window.addEventListener('storage', ({ key }) => {
  if (key === KEY) show(stored());
});

export { settings };

export function change(part: Partial<Settings>): void {
  const next = { ...settings(), ...part };
  local.set(KEY, JSON.stringify(next));
  show(next);
}
