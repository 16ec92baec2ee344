import type { TimelineView } from './timelineView';

/** The conversation on the page, for keys that concern it wherever the focus is. */
export const openViews = new Map<string, TimelineView>();
