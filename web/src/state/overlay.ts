import { createSignal } from 'solid-js';

export type Overlay = 'switcher' | 'new' | 'shortcuts';

/** The one dialog of the page that lies over everything. */
const [overlay, setOverlay] = createSignal<Overlay>();

export { overlay, setOverlay };
