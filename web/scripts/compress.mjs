// Writes .br and .gz beside every text asset, so that the gateway never compresses at run time.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url).pathname;
const text = /\.(?:html|js|css|svg)$/;

for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
  if (!text.test(name)) continue;
  const source = readFileSync(join(dist, name));
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
  };
  writeFileSync(join(dist, `${name}.br`), brotliCompressSync(source, { params }));
  writeFileSync(join(dist, `${name}.gz`), gzipSync(source, { level: 9 }));
}
