import { batch, createSignal, type Signal } from 'solid-js';

/** Even a page that paints no frames, because it is hidden, keeps its title right. */
const FALLBACK_MS = 100;

/**
 * The bridge from the core, which changes its objects in place, to signals. Reading code tracks a
 * topic; what the core touches within one frame is told in one batch, just before it is painted.
 */
export class Topics {
  private readonly signals = new Map<string, Signal<undefined>>();
  private readonly dirty = new Set<string>();

  track(topic: string): void {
    this.signal(topic)[0]();
  }

  touch(topic: string): void {
    if (this.dirty.size === 0) this.schedule();
    this.dirty.add(topic);
  }

  private schedule(): void {
    const flush = (): void => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      this.flush();
    };
    const frame = requestAnimationFrame(flush);
    const timer = setTimeout(flush, FALLBACK_MS);
  }

  private flush(): void {
    const topics = [...this.dirty];
    this.dirty.clear();
    batch(() => {
      for (const topic of topics) this.signals.get(topic)?.[1](undefined);
    });
  }

  private signal(topic: string): Signal<undefined> {
    const known = this.signals.get(topic);
    if (known !== undefined) return known;
    const made = createSignal(undefined, { equals: false });
    this.signals.set(topic, made);
    return made;
  }
}
