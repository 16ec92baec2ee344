import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createSound } from '../../src/state/sound';
import { FakeClock } from '../helpers/clock';

let played: number;

beforeEach(() => {
  played = 0;
  const node = { connect: () => node, gain: ramp() };
  function ramp() {
    return { linearRampToValueAtTime() {}, exponentialRampToValueAtTime() {} };
  }
  vi.stubGlobal(
    'AudioContext',
    class {
      currentTime = 0;
      destination = {};
    },
  );
  vi.stubGlobal(
    'GainNode',
    class {
      gain = node.gain;
      connect = node.connect;
    },
  );
  vi.stubGlobal(
    'OscillatorNode',
    class {
      connect = () => node;
      start(): void {
        played += 1;
      }
      stop(): void {}
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

it('a sound is never heard twice within two seconds', async () => {
  const clock = new FakeClock();
  const sound = createSound(clock);
  sound.play();
  await clock.pass(1_900);
  sound.play();
  expect(played).toBe(1);
  await clock.pass(100);
  sound.play();
  expect(played).toBe(2);
});
