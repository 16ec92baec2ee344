import { createContext, createSignal, useContext } from 'solid-js';
import { Auth } from '../core/api/auth';
import { realClock } from '../core/clock';
import type { AuthResponse } from '../gen/wire';
import { account } from '../storage/account';
import { exclusively } from '../storage/lock';
import { createModel, type Model } from './model';
import { go } from './router';

const auth = new Auth(realClock, (task) => exclusively('parley.refresh', realClock, task));

const [model, setModel] = createSignal<Model>();

export { model };

/** Goes on with the session of an earlier visit, if there was one. */
export function boot(): void {
  const user = account.user();
  if (user !== undefined) begin(createModel(user, auth));
  account.onChangeElsewhere(() => location.reload());
}

export function signedIn(response: AuthResponse): void {
  const current = model();
  const same = current?.me().id === response.user.id;
  if (!same && current !== undefined) {
    current.dispose();
    account.forgetChats(current.me().id);
  }
  auth.adopt(response);
  account.signedIn(response);
  if (same) current.start();
  else begin(createModel(response.user, auth));
}

/** The session ended before the server told anything: back to the sign-in page. */
export function dropSession(): void {
  const id = model()?.me().id;
  account.leave();
  end();
  if (id !== undefined) account.forgetChats(id);
}

/** Ends the session here and on the server; what is stored of it goes too. */
export async function signOut(): Promise<void> {
  const current = model();
  if (current === undefined) return;
  account.leave();
  // Best effort: without an answer, what is left of the session is a cookie that nobody uses.
  await current.client.api.logout().catch(() => {});
  await forgetAccount();
}

/** The account is gone, or signed out: so is everything of it here. */
export async function forgetAccount(): Promise<void> {
  const id = model()?.me().id;
  end();
  if (id !== undefined) await account.forget(id);
  go('/login');
}

function begin(next: Model): void {
  setModel(next);
  next.start();
}

function end(): void {
  const current = model();
  setModel(undefined);
  current?.dispose();
}

const ModelContext = createContext<Model>();
export const ModelProvider = ModelContext.Provider;

export function useModel(): Model {
  const provided = useContext(ModelContext);
  if (provided === undefined) throw new Error('used outside of a session');
  return provided;
}
