const BROWSERS: [RegExp, string][] = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/Chrome\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/iPhone|iPad/, 'iOS'],
  [/Android/, 'Android'],
  [/Mac OS X/, 'macOS'],
  [/Windows/, 'Windows'],
  [/Linux/, 'Linux'],
];

/** "Firefox on Linux": enough to tell one's own sessions apart. */
export function browserName(agent: string = navigator.userAgent): string {
  const named = (names: [RegExp, string][], otherwise: string): string =>
    names.find(([sign]) => sign.test(agent))?.[1] ?? otherwise;
  return `${named(BROWSERS, 'A browser')} on ${named(SYSTEMS, 'an unknown system')}`;
}
