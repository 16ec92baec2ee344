import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import solid from 'vite-plugin-solid';

/**
 * The theme must be known before the first paint, so its script blocks, and a strict CSP forbids
 * inline code: it is emitted as an asset with a hash in its name, and named in the page's head.
 */
function themeScript(): Plugin {
  const source = readFileSync(new URL('./src/theme-boot.js', import.meta.url), 'utf8');
  const hash = createHash('sha256').update(source).digest('base64url').slice(0, 8);
  const fileName = `assets/theme-${hash}.js`;
  return {
    name: 'theme-script',
    configureServer(server) {
      server.middlewares.use(`/${fileName}`, (_request, response) => {
        response.setHeader('Content-Type', 'text/javascript');
        response.end(source);
      });
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName, source });
    },
    transformIndexHtml: () => [
      { tag: 'script', attrs: { src: `/${fileName}` }, injectTo: 'head-prepend' },
    ],
  };
}

const gateway = 'http://127.0.0.1:8080';
const rest = ['/auth', '/users', '/devices', '/conversations', '/sync'];

export default defineConfig({
  // Compiled JSX reaches the document through a module of ours, which keeps Trusted Types happy.
  plugins: [solid({ solid: { moduleName: 'parley-dom' } }), themeScript()],
  resolve: { alias: { 'parley-dom': fileURLToPath(new URL('./src/ui/dom.ts', import.meta.url)) } },
  build: {
    target: 'es2022',
    // Inlined assets would need `data:` in the CSP.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    // The browser's Origin must stay equal to the host the gateway sees.
    proxy: Object.fromEntries([
      ...rest.map((path) => [path, { target: gateway, changeOrigin: false }]),
      ['/ws', { target: gateway, changeOrigin: false, ws: true }],
    ]),
  },
});
