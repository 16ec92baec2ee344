import type { AuthResponse, User } from '../gen/wire';
import { Database } from './db';
import { draftPrefix } from './drafts';
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

  /** What has been said is not for whoever comes next. */
  forgetChats(user: string): void {
    new Database(user)
      .chats()
      .write([], new Set())
      .catch(() => {});
  },

  /** Forgets everything of this user but that the browser is known. */
  async forget(user: string): Promise<void> {
    account.leave();
    for (const key of local.keys(draftPrefix(user))) local.remove(key);
    await new Database(user).erase();
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
