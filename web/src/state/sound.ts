import type { Clock } from '../core/clock';

/** Never more than one in this time. */
const QUIET_MS = 2_000;

/** One short soft tone, made here: there is no file to fetch. */
export function createSound(clock: Clock) {
  let context: AudioContext | undefined;
  let playedAt = Number.NEGATIVE_INFINITY;
  return {
    play(): void {
      if (clock.now() - playedAt < QUIET_MS) return;
      playedAt = clock.now();
      context ??= new AudioContext();
      const { currentTime, destination } = context;
      const volume = new GainNode(context, { gain: 0 });
      const tone = new OscillatorNode(context, { frequency: 660 });
      volume.gain.linearRampToValueAtTime(0.06, currentTime + 0.01);
      volume.gain.exponentialRampToValueAtTime(0.0001, currentTime + 0.25);
      tone.connect(volume).connect(destination);
      tone.start();
      tone.stop(currentTime + 0.3);
    },
  };
}
