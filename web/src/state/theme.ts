import { createSignal } from 'solid-js';
import { local } from '../storage/local';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** The same key and attribute as the script that runs before the first paint. */
const KEY = 'parley.theme';

const stored = (): Theme => THEMES.find((theme) => theme === local.get(KEY)) ?? 'system';
const [theme, setSignal] = createSignal<Theme>(stored());

function show(chosen: Theme): void {
  setSignal(chosen);
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

window.addEventListener('storage', (event) => {
  if (event.key === KEY) show(stored());
});

export { theme };

export function setTheme(chosen: Theme): void {
  if (chosen === 'system') local.remove(KEY);
  else local.set(KEY, chosen);
  show(chosen);
}
