import { createSignal } from 'solid-js';
import { ApiError } from '../../core/api/http';
import { text } from '../../strings/en';

/** One request at a time, and what became of the last one. */
export function createAttempt() {
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal<{ message: string; field: string | undefined }>();
  return {
    busy,
    /** What is wrong with this field. */
    errorOf: (field: string): string | undefined =>
      error()?.field === field ? error()?.message : undefined,
    /** What is wrong with no field of `fields`. */
    other: (...fields: string[]): string | undefined => {
      const current = error();
      return current === undefined || fields.includes(current.field ?? '')
        ? undefined
        : current.message;
    },
    fail: (field: string, message: string): void => void setError({ field, message }),
    /** True when it went well. */
    async run(task: () => Promise<unknown>): Promise<boolean> {
      if (busy()) return false;
      setBusy(true);
      setError(undefined);
      try {
        await task();
        return true;
      } catch (failure) {
        const refused = failure instanceof ApiError ? failure : undefined;
        const wait = refused?.status === 429 ? refused.retryAfterMs : undefined;
        const message =
          wait === undefined
            ? (refused?.message ?? text.noAnswer)
            : text.tooMany(Math.ceil(wait / 1000));
        setError({ message, field: refused?.field });
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}
