// Whether every scenario can be loaded in every profile, and is where it should be.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { summarize } from '../stand-in/metrics.mjs';
import { load } from '../stand-in/worlds.mjs';

const folder = fileURLToPath(new URL('../scripts/', import.meta.url));
const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'));
const scenarios = scripts.filter((name) => !name.startsWith('lib-'));
const PROFILES = ['ci', 'laptop', 'staging', 'large'];

test('every scenario, in every profile', async () => {
  for (const profile of PROFILES) {
    process.env.PROFILE = profile;
    for (const name of scenarios) {
      const script = await load(folder + name, 0, new Map());
      const { options } = script;
      assert.deepEqual(Object.keys(options.scenarios), [name.replace('.js', '')]);
      for (const exported of ['setup', 'default', 'handleSummary']) {
        assert.equal(typeof script[exported], 'function', `${name}: ${exported}`);
      }
      const counted = ['lost', 'duplicated', 'out_of_order'];
      for (const metric of counted) assert.deepEqual([...options.thresholds[metric]], ['count==0']);
      // Refuses what a threshold must not say.
      summarize(options, 1);
    }
  }
});

test('the ConfigMap holds every script', () => {
  const listed = readFileSync(`${folder}kustomization.yaml`, 'utf8').match(/\S+\.js$/gm);
  assert.deepEqual(listed, scripts.sort());
});

test('the README names every scenario', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const name of scenarios) {
    assert.match(readme, new RegExp(`^\\| \`${name.replace('.js', '')}\` \\|`, 'm'));
  }
});

test('nothing is imported from elsewhere', () => {
  for (const name of scripts) {
    const text = readFileSync(folder + name, 'utf8');
    for (const [, from] of text.matchAll(/^(?:import|export) .*from '(.+)';$/gm)) {
      assert.match(from, /^(\.\/lib-[a-z]+\.js|k6\/[a-z]+)$/, name);
    }
  }
});
