import { createSignal } from 'solid-js';
import { local } from '../storage/local';

/** Whether somebody can see the page, and whether they work in it. */
const [visible, setVisible] = createSignal(document.visibilityState === 'visible');
const [focused, setFocused] = createSignal(document.hasFocus());
const [networked, setNetworked] = createSignal(navigator.onLine);

/** When any tab last had the focus: it says so every few seconds while it has it. */
const SEEN_KEY = 'parley.here';
const SEEN_EVERY_MS = 2_000;

const here = (): void => {
  if (focused()) local.set(SEEN_KEY, String(Date.now()));
  else if (focusedAnywhere()) local.remove(SEEN_KEY);
};
const focusedAnywhere = (): boolean =>
  focused() || Date.now() - Number(local.get(SEEN_KEY) ?? 0) < 2 * SEEN_EVERY_MS;

document.addEventListener('visibilitychange', () =>
  setVisible(document.visibilityState === 'visible'),
);
window.addEventListener('focus', () => {
  setFocused(true);
  here();
});
window.addEventListener('blur', () => {
  setFocused(false);
  here();
});
window.addEventListener('online', () => setNetworked(true));
window.addEventListener('offline', () => setNetworked(false));
setInterval(() => {
  if (focused()) here();
}, SEEN_EVERY_MS);

export const page = {
  visible,
  focused,
  networked,
  focusedAnywhere,
  attentive: () => visible() && focused(),
};
