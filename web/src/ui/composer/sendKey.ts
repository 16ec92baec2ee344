import { settings } from '../../state/settings';

/** What some browsers report for a key that belongs to an input method. */
const IME_KEY_CODE = 229;

/** On a touch keyboard, Enter breaks the line: there is no other key for it. */
export const enterSends = (): boolean =>
  settings().send === 'enter' && !matchMedia('(pointer: coarse)').matches;

/** Whether this key sends: never within an input method. */
export function meansSend(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || event.shiftKey || event.altKey) return false;
  if (event.isComposing || event.keyCode === IME_KEY_CODE) return false;
  if (event.ctrlKey || event.metaKey) return true;
  return enterSends();
}
