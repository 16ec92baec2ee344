// One JavaScript world for each VU, as in k6: the scripts are loaded anew, and share nothing.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import vm from 'node:vm';
import { Counter, Trend } from './metrics.mjs';

/** What the script may import or require. `vu` is 0 for the world of setup and summary. */
const builtIn = (vu, shared, sockets) => ({
  'k6/data': { SharedArray: sharedArray(shared) },
  'k6/execution': {
    default: {
      vu: { idInTest: vu },
      test: {
        abort(why) {
          throw new Error(`aborted: ${why}`);
        },
      },
    },
  },
  'k6/http': { default: { asyncRequest } },
  'k6/metrics': { Counter, Trend },
  'k6/websockets': { WebSocket: sockets },
});

/** The exports of the script at `path`, in a world of its own; tests bring sockets of their own. */
export async function load(path, vu, shared, sockets = Socket) {
  const modules = builtIn(vu, shared, sockets);
  const globals = {
    __ENV: Object.freeze({ ...process.env }),
    __VU: vu,
    console,
    setTimeout,
    open: (file) => readFileSync(file, 'utf8'),
    require(name) {
      if (modules[name] === undefined) throw new Error(`unknown module: ${name}`);
      return modules[name];
    },
  };
  const context = vm.createContext(globals);
  const loaded = new Map();

  const link = (specifier, referrer) => {
    if (modules[specifier] !== undefined) return synthetic(specifier);
    if (!specifier.startsWith('./')) throw new Error(`unknown module: ${specifier}`);
    return source(resolve(dirname(referrer.identifier), specifier));
  };
  const remember = (key, make) => {
    if (!loaded.has(key)) loaded.set(key, make());
    return loaded.get(key);
  };
  const source = (file) =>
    remember(file, () => {
      const text = readFileSync(file, 'utf8');
      return new vm.SourceTextModule(text, { context, identifier: file });
    });
  const synthetic = (name) =>
    remember(name, () => {
      const names = Object.keys(modules[name]);
      const fill = function fill() {
        for (const each of names) this.setExport(each, modules[name][each]);
      };
      return new vm.SyntheticModule(names, fill, { context, identifier: name });
    });

  const main = source(resolve(path));
  await main.link(link);
  await main.evaluate();
  return main.namespace;
}

/** One copy of the data for all worlds. */
const sharedArray = (shared) =>
  function SharedArray(name, make) {
    if (!shared.has(name)) shared.set(name, Object.freeze(make()));
    return shared.get(name);
  };

async function asyncRequest(method, url, body, { headers }) {
  try {
    const answer = await fetch(url, { method, body, headers });
    const told = {};
    for (const [name, value] of answer.headers) told[canonical(name)] = value;
    return { status: answer.status, headers: told, body: await answer.text() };
  } catch (error) {
    return { status: 0, headers: {}, body: null, error: String(error) };
  }
}

/** Retry-After, as Go writes it. */
const canonical = (name) => name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());

/** Node's, called as k6's is. Tests do without, and so without the flag that older Nodes need. */
class Socket extends (globalThis.WebSocket ?? Object) {
  constructor(url, protocols, { headers }) {
    super(url, { headers, protocols: protocols ?? [] });
  }

  set onmessage(listener) {
    this.addEventListener('message', ({ data }) => listener({ data, timestamp: Date.now() }));
  }
}
