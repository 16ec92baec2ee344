import { createSignal, onCleanup } from 'solid-js';
import { type Draft, drafts as stored } from '../storage/drafts';

export const EMPTY: Draft = { text: '', caret: 0 };

/** The drafts of a user, as signals. */
export function createDrafts(user: string) {
  const storage = stored(user);
  const held = new Map(storage.ids().map((id) => [id, storage.get(id) ?? EMPTY]));
  const [version, setVersion] = createSignal(0, { equals: false });
  const touch = (): void => void setVersion(0);
  onCleanup(
    storage.onChangeElsewhere((id) => {
      held.set(id, storage.get(id) ?? EMPTY);
      touch();
    }),
  );
  return {
    of(conversation: string): Draft {
      version();
      return held.get(conversation) ?? EMPTY;
    },
    /** In memory and on the page at once… */
    write(conversation: string, draft: Draft): void {
      held.set(conversation, draft);
      touch();
      storage.set(conversation, draft);
    },
    /** …while a message that was just sent stays stored here until the outbox has it. */
    handOver(conversation: string, kept: Promise<void>): void {
      held.set(conversation, EMPTY);
      touch();
      void kept.then(() => {
        if (held.get(conversation) === EMPTY) storage.set(conversation, EMPTY);
      });
    },
  };
}

export type Drafts = ReturnType<typeof createDrafts>;
