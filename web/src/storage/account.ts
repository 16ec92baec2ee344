import type { Letter, Shelf } from '../core/outbox/outbox';
import type { AuthResponse, User } from '../gen/wire';
import { local } from './local';

const USER = 'parley.user';
const DEVICE = 'parley.device';

interface KnownDevice {
  username: string;
  device_id: string;
  device_secret: string;
}

/** Who is signed in in this browser; the session itself is a cookie that no script can see. */
export const account = {
  user: (): User | undefined => local.json<User>(USER),

  remember(user: User): void {
    local.set(USER, JSON.stringify(user));
  },

  signedIn({ user, device, device_secret }: AuthResponse): void {
    account.remember(user);
    const known: KnownDevice = { username: user.username, device_id: device.id, device_secret };
    local.set(DEVICE, JSON.stringify(known));
  },

  /** Lets the server know this browser again, whatever strangers guess in the meantime. */
  device(username: string): { device_id: string; device_secret: string } | undefined {
    const known = local.json<KnownDevice>(DEVICE);
    if (known?.username.toLowerCase() !== username.toLowerCase()) return undefined;
    return { device_id: known.device_id, device_secret: known.device_secret };
  },

  /** Nobody is signed in; drafts and unsent messages wait for their user. */
  leave(): void {
    local.remove(USER);
  },

  /** Forgets everything of this user but that the browser is known. */
  forget(user: string): void {
    account.leave();
    for (const prefix of [outboxKey(user, ''), draftKey(user, '')]) {
      for (const key of local.keys(prefix)) local.remove(key);
    }
  },

  /** Calls back when another tab has signed in or out. */
  onChangeElsewhere(changed: () => void): () => void {
    const listener = (event: StorageEvent): void => {
      const id = (text: string | null): unknown =>
        text === null ? undefined : (JSON.parse(text) as User).id;
      if (event.key === USER && id(event.oldValue) !== id(event.newValue)) changed();
    };
    window.addEventListener('storage', listener);
    return () => window.removeEventListener('storage', listener);
  },
};

const draftKey = (user: string, conversation: string): string =>
  `parley.draft.${user}.${conversation}`;

export const drafts = {
  get: (user: string, conversation: string): string =>
    local.get(draftKey(user, conversation)) ?? '',

  set(user: string, conversation: string, text: string): void {
    if (text === '') local.remove(draftKey(user, conversation));
    else local.set(draftKey(user, conversation), text);
  },
};

const outboxKey = (user: string, id: string): string => `parley.outbox.${user}.${id}`;

/** One entry a letter: tabs that share the storage cannot overwrite each other's. */
export const shelf = (user: string): Shelf => ({
  all: () => local.keys(outboxKey(user, '')).flatMap((key) => local.json<Letter>(key) ?? []),
  put: (letter) => local.set(outboxKey(user, letter.client_msg_id), JSON.stringify(letter)),
  remove: (id) => local.remove(outboxKey(user, id)),
});

/** Calls back with each letter that another tab took from the shelf. */
export function onLetterRemoved(user: string, removed: (id: string) => void): () => void {
  const prefix = outboxKey(user, '');
  const listener = ({ key, newValue }: StorageEvent): void => {
    if (key?.startsWith(prefix) === true && newValue === null) removed(key.slice(prefix.length));
  };
  window.addEventListener('storage', listener);
  return () => window.removeEventListener('storage', listener);
}
