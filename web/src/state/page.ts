import { createSignal } from 'solid-js';

/** Whether somebody can see the page, and whether they work in it. */
const [visible, setVisible] = createSignal(document.visibilityState === 'visible');
const [focused, setFocused] = createSignal(document.hasFocus());
const [networked, setNetworked] = createSignal(navigator.onLine);

document.addEventListener('visibilitychange', () =>
  setVisible(document.visibilityState === 'visible'),
);
window.addEventListener('focus', () => setFocused(true));
window.addEventListener('blur', () => setFocused(false));
window.addEventListener('online', () => setNetworked(true));
window.addEventListener('offline', () => setNetworked(false));

export const page = { visible, networked, attentive: () => visible() && focused() };
