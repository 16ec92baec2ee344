// Runs before the first paint. The page follows the system unless a choice was stored.
try {
  const root = document.documentElement;
  const theme = localStorage.getItem('parley.theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  const { density, size } = JSON.parse(localStorage.getItem('parley.settings') ?? '{}');
  if (density === 'comfortable') root.dataset.density = density;
  if (size === 'small' || size === 'large') root.dataset.size = size;
} catch {
  // Storage is off, or holds something else: the defaults stand.
}
