/** The parts of the page that F6 walks, in order. */
const REGIONS = ['.sidebar', '.chat-header', '#messages', '.composer', '.toasts'];

const STOP =
  'a[href], button:not([tabindex="-1"]):not([disabled]), input, textarea, [tabindex="0"]';

const visible = (element: HTMLElement): boolean => element.checkVisibility();

/** Where the keyboard goes within a region: its current item, else its first stop. */
function stopIn(region: Element): HTMLElement | undefined {
  const stops = [...region.querySelectorAll<HTMLElement>(STOP)].filter(visible);
  return stops.find((stop) => stop.matches('[aria-current], textarea, li[data-row]')) ?? stops[0];
}

export function walkRegions(by: 1 | -1): void {
  const regions = REGIONS.map((name) => document.querySelector(name)).filter(
    (region) => region !== null && stopIn(region) !== undefined,
  );
  const here = regions.findIndex((region) => region?.contains(document.activeElement) === true);
  const from = here === -1 && by === -1 ? 0 : here;
  const next = regions[(from + by + regions.length) % regions.length];
  if (next !== undefined && next !== null) stopIn(next)?.focus();
}

export const focusRegion = (name: string): void => {
  const region = document.querySelector(name);
  if (region !== null) stopIn(region)?.focus();
};
