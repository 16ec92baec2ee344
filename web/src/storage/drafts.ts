import { local } from './local';

/** What is being written in a conversation. */
export interface Draft {
  text: string;
  caret: number;
  /** The message it answers. */
  reply?: number;
}

export const draftPrefix = (user: string): string => `parley.draft.${user}.`;

/** A user's drafts, for all tabs and for the next visit; the last write wins. */
export const drafts = (user: string) => {
  const prefix = draftPrefix(user);
  return {
    ids: (): string[] => local.keys(prefix).map((key) => key.slice(prefix.length)),

    get: (conversation: string): Draft | undefined => local.json<Draft>(prefix + conversation),

    set(conversation: string, draft: Draft): void {
      const empty = draft.text === '' && draft.reply === undefined;
      if (empty) local.remove(prefix + conversation);
      else local.set(prefix + conversation, JSON.stringify(draft));
    },

    /** Calls back with each conversation whose draft another tab has changed. */
    onChangeElsewhere(changed: (conversation: string) => void): () => void {
      const listener = ({ key }: StorageEvent): void => {
        if (key?.startsWith(prefix) === true) changed(key.slice(prefix.length));
      };
      window.addEventListener('storage', listener);
      return () => window.removeEventListener('storage', listener);
    },
  };
};
